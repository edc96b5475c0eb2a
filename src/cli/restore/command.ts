import type { Command } from 'commander';
import { UsageError } from '../../errors/errors.ts';
import { fingerprint, offsetsOf } from '../../graph/head.ts';
import { readLive } from '../../state/places.ts';
import { type Restoring, restoreStore, type Verified } from '../../state/staged-store.ts';
import type { CommandContext } from '../context.ts';
import { count, total } from '../format.ts';
import { collect, example, GRAPHS_HELP, JSON_HELP } from '../options.ts';
import { type Output, tell } from '../output.ts';
import { planFromBackup } from './from-backup.ts';
import { planFromTopic } from './from-topic.ts';

export function addRestoreCommand(command: Command, context: CommandContext): void {
  command
    .description('restore stores; each is checked whole before it is put in place')
    .argument('[dir]', 'folder that was given to twhin backup')
    .option(
      '--from-topic',
      'restore from the embeddings topic instead: only vectors; edges are read from the event topics again',
    )
    .option('--topic <name>', 'full name of the embeddings topic, if it is not that of the graph')
    .option('--graph <name>', GRAPHS_HELP, collect, [])
    .option('--into <name>', 'name of the restored store, beside the existing stores')
    .option('--json', JSON_HELP)
    .addHelpText('after', example(EXAMPLES, WHERE))
    .action(async (dir: string | undefined, { fromTopic, topic, graph, into, json }) => {
      if ((dir === undefined) === (fromTopic !== true)) {
        throw new UsageError('give either the folder of a backup or --from-topic');
      }
      if (topic !== undefined && fromTopic !== true) throw new UsageError('--topic goes with --from-topic');
      const { output } = context;
      const plans =
        dir === undefined
          ? await planFromTopic(topic, graph, into, context)
          : await planFromBackup(dir, graph, into, context);
      const done: Record<string, object> = {};
      for (const plan of plans) {
        const { name } = plan.graph;
        const restored = await restoreStore(plan, (entries) =>
          context.progress(`${name}: ${count(entries)} entries checked`),
        );
        done[name] = summary(plan, restored);
        if (json !== true) print(plan, restored, output);
      }
      if (json === true) output.out(JSON.stringify({ graphs: done }));
    });
}

const WHERE = `
A store is never replaced. If a graph has no store, the restored store becomes its first. Otherwise give the restored
store a name with --into, and make it the live store with twhin promote.`;

const EXAMPLES = `twhin restore /backups/twhin
twhin restore /backups/twhin --graph engagement --into before
twhin restore --from-topic --graph engagement --into vectors`;

function summary({ target, origin }: Restoring, { head, entities, edges }: Verified) {
  return {
    store: target.name,
    folder: target.folder,
    from: origin.from,
    fingerprint: fingerprint(head.model),
    step: head.step,
    entities,
    edges,
    outbox: head.outbox,
    offsets: offsetsOf(head.positions),
  };
}

function print(
  { graph, target, origin }: Restoring,
  { head, entities, edges }: Verified,
  output: Output,
): void {
  const live = readLive(graph).live === target.name;
  const next = live
    ? `twhin run --graph ${graph.name} goes on from there`
    : `twhin promote ${target.name} --graph ${graph.name} puts it in the live one's place`;
  tell(output, `${graph.name}  (${target.name} in ${target.folder}, from a ${origin.from})`, [
    `${count(total(entities))} entities, ${count(total(edges))} live edges, step ${count(head.step)}; all is well`,
    next,
  ]);
}
