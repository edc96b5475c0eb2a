import type { Command } from 'commander';
import { declaredTopics } from '../config/declared-topics.ts';
import { applyTopics, describeAction, planTopics } from '../pipeline/topic-plan.ts';
import { type CommandContext, withinTime } from './context.ts';
import { example, JSON_HELP } from './options.ts';

const ANSWER_MS = 30_000;

/** Puts `twhin topics` on the command line. */
export function addTopicsCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('topics')
    .description('plan or create the topics that the configuration needs');
  for (const apply of [false, true]) {
    command
      .command(apply ? 'apply' : 'plan')
      .description(
        apply
          ? 'create and change the topics as configured; no topic is shrunk or deleted'
          : 'show what apply would change',
      )
      .option('--json', JSON_HELP)
      .addHelpText('after', example(`KAFKA_BROKERS=localhost:9092 twhin topics ${apply ? 'apply' : 'plan'}`))
      .action(({ json }) => topics({ apply, json: json === true }, context));
  }
}

/** Shows what would change on the cluster and, with `apply`, changes it. A second apply changes nothing. */
async function topics(
  options: { readonly apply: boolean; readonly json: boolean },
  { config: load, connect, output }: CommandContext,
): Promise<void> {
  const config = await load();
  const connection = await connect(config);
  try {
    const admin = connection.admin();
    const declared = declaredTopics(config);
    const where = `topics at ${connection.describe}`;
    const actual = await withinTime(admin.describe(declared.map(({ name }) => name)), ANSWER_MS, where);
    const actions = planTopics(declared, actual);
    if (options.apply) await withinTime(applyTopics(admin, actions), ANSWER_MS, where);
    if (options.json) {
      output.out(JSON.stringify({ applied: options.apply, actions }));
      return;
    }
    for (const action of actions) output.out(describeAction(action));
    const changes = actions.filter(({ kind }) => kind !== 'keep').length;
    const unusable = actions.some((action) => action.kind === 'keep' && action.unusable === true);
    if (changes === 0 && unusable)
      output.out('nothing to change; a topic that is left as it is can not be used');
    else if (changes === 0)
      output.out(`all ${declared.length} topics are as declared at ${connection.describe}`);
    else
      output.out(
        options.apply ? `${changes} changes made` : `${changes} changes; make them with: twhin topics apply`,
      );
  } finally {
    await connection.close();
  }
}
