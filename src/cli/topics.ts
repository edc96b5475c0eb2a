import type { Command } from 'commander';
import { fullName } from '../../topics/index.ts';
import { declaredTopics } from '../config/declared-topics.ts';
import {
  applyTopics,
  describeAction,
  planTopics,
  replayGaps,
  type TopicAction,
} from '../pipeline/topic-plan.ts';
import type { CommandContext } from './context.ts';
import { collect, example, JSON_HELP } from './options.ts';
import { topicAfter } from './select.ts';

export function addTopicsCommand(command: Command, context: CommandContext): void {
  command.description('plan or create the topics that the configuration needs');
  for (const apply of [false, true]) {
    command
      .command(apply ? 'apply' : 'plan')
      .description(
        apply
          ? 'create missing topics, and set what differs on topics that twhin writes; an existing event topic is never changed'
          : 'show what apply would change, and what differs in topics that it leaves alone',
      )
      .option(
        '--create <topic>',
        'also create this topic of others: one that is defined by its whole name; may be repeated',
        collect,
        [],
      )
      .option('--json', JSON_HELP)
      .addHelpText('after', example(`KAFKA_BROKERS=localhost:9092 twhin topics ${apply ? 'apply' : 'plan'}`))
      .action((asked) => topics(apply, asked, context));
  }
}

/** Shows what would change on the cluster and, with `apply`, changes it. A second apply changes nothing. */
async function topics(
  apply: boolean,
  { create, json }: { readonly create: readonly string[]; readonly json?: boolean },
  { ask, config: load, connect, output }: CommandContext,
): Promise<void> {
  const config = await load();
  const named = config.topics.filter(({ topic }) => topic !== undefined);
  const { topicPrefix: prefix } = config;
  const asked = create.map((name) => fullName(prefix, topicAfter('--create', prefix, named, name)));
  await using connection = await connect(config);
  const admin = connection.admin();
  const declared = declaredTopics(config);
  const where = `topics at ${connection.describe}`;
  const actual = await ask(admin.describe(declared.map(({ name }) => name)), where);
  const actions = planTopics(declared, actual, asked);
  const notes = connection.keepsAll ? [] : replayGaps(declared, actual, asked);
  if (apply) await ask(applyTopics(admin, actions), where);
  if (json) {
    output.out(JSON.stringify({ applied: apply, actions, notes }));
    return;
  }
  for (const action of actions) output.out(describeAction(action));
  for (const note of notes) output.out(`note: ${note}`);
  output.out(closing(actions, apply, connection.describe));
}

function closing(actions: readonly TopicAction[], applied: boolean, where: string): string {
  const changes = actions.filter(({ kind }) => kind === 'create' || kind === 'alter-configs').length;
  if (changes > 0)
    return applied ? `${changes} changes made` : `${changes} changes; make them with: twhin topics apply`;
  if (actions.some((action) => action.kind === 'keep' && action.unusable === true))
    return 'nothing to change; a topic that is left as it is can not be used';
  if (actions.some(({ kind }) => kind === 'missing'))
    return 'nothing to change; topics of others are missing';
  return `nothing to change at ${where}`;
}
