import type { Command } from 'commander';
import { UsageError } from '../../errors/errors.ts';
import { readLive } from '../../state/places.ts';
import { collect, example, type Surroundings } from '../surroundings.ts';
import { planFromBackup } from './restore-backup.ts';
import { planFromTopic } from './restore-topic.ts';
import { print, restoreStore, summary } from './restored.ts';

/** Puts `twhin restore` on the command line. */
export function addRestoreCommand(program: Command, surroundings: Surroundings): void {
  program
    .command('restore')
    .description('make stores again, each checked whole before it is put in place')
    .argument('[dir]', 'folder that twhin backup was given')
    .option(
      '--from-topic',
      'from the embeddings topic instead: vectors alone, edges come from the event topics',
    )
    .option('--topic <name>', "full name of that topic, where it is not the graph's own")
    .option('--graph <name>', 'only this graph; may be repeated', collect, [])
    .option('--into <name>', 'beside the stores there are, under this name')
    .option('--json', 'one JSON object on stdout')
    .addHelpText('after', WHERE)
    .addHelpText('after', example(EXAMPLES))
    .action(async (dir: string | undefined, { fromTopic, topic, graph, into, json }) => {
      if ((dir === undefined) === (fromTopic !== true)) {
        throw new UsageError('restore', 'give either the folder of a backup or --from-topic');
      }
      if (topic !== undefined && fromTopic !== true) {
        throw new UsageError('restore', '--topic goes with --from-topic');
      }
      const { output } = surroundings;
      const plans =
        dir === undefined
          ? await planFromTopic(topic, graph, into, surroundings)
          : await planFromBackup(dir, graph, into, surroundings);
      const done: Record<string, object> = {};
      for (const plan of plans) {
        const restored = await restoreStore(plan, output);
        done[plan.graph.name] = summary(plan, restored);
        const live = readLive(plan.graph).live === plan.target.name;
        if (json !== true) print(plan, restored, live, output);
      }
      if (json === true) output.out(JSON.stringify({ graphs: done }));
    });
}

const WHERE = `
A store is never replaced. Where a graph has none, what is restored becomes its first; otherwise give it a name with
--into, and put it in the live one's place with twhin replay promote.`;

const EXAMPLES = `twhin restore /backups/twhin
twhin restore /backups/twhin --graph engagement --into before
twhin restore --from-topic --graph engagement --into vectors`;
