import type { Command } from 'commander';
import { type Head, offsetsOf } from '../../graph/head.ts';
import { databaseFolder } from '../../state/open.ts';
import { FIRST_STORE, type StorePlace } from '../../state/places.ts';
import type { CommandContext } from '../context.ts';
import { count, listed, total } from '../format.ts';
import { example, JSON_HELP, positiveInteger } from '../options.ts';
import { type Output, tell } from '../output.ts';
import { type PresentStores, planReshard, type ReshardPlan, withPresentStores } from './plan.ts';
import { type Resharded, reshard } from './reshard.ts';

/**
 * Puts `twhin reshard` on the command line.
 *
 * The new stores lie beside the present ones: shard `i` of M has its new store in `STATE/<graph>-<i>/stores/shards-M`, a whole graph in
 * `STATE/<graph>/stores/shards-1`. The number of shards in the configuration says which store is live (`readLive`), so that
 * changing the number opens the new stores and changing it back opens the old ones; nothing is overwritten.
 */
export function addReshardCommand(command: Command, context: CommandContext): void {
  command
    .description('make the stores of a graph with another number of shards; no updater may be running')
    .requiredOption('--graph <name>', 'the whole graph, such as engagement')
    .requiredOption('--to <n>', 'the number of shards that the graph is to have', positiveInteger)
    .option('--json', JSON_HELP)
    .addHelpText('after', example('twhin reshard --graph engagement --to 4', WHAT))
    .action(async ({ graph, to, json }) => {
      const { output } = context;
      const plan = await planReshard(graph, to, context);
      await withPresentStores(plan, context.log(), async (present) => {
        const result = resultOf(plan, present, await reshard(plan, present, context));
        if (json === true) output.out(JSON.stringify(result));
        else print(result, output);
      });
    });
}

const WHAT = `
The configuration says how many shards there are now. Everything that the graph learned goes on. The present stores stay as
they are, to go back to; the command says what to do next, and how to go back.`;

/** What was made, what to do next, and how to go back: the result for `--json`. */
function resultOf(plan: ReshardPlan, { heads, places }: PresentStores, done: Resharded) {
  const { graph, present, next, targets } = plan;
  const { before, after, added } = done;
  return {
    graph,
    from: present.length,
    to: next.length,
    present: heads.map((head, i) => counted(head, places[i]!)),
    new: done.heads.map((head, i) => counted(head, targets[i]!)),
    digests: { before: before.digest, after: after.digest },
    entities: after.entities,
    edges: after.live,
    removed: after.removed,
    added,
    ...stepsOf(plan),
    // Of the old stores alone: their folders can hold new stores, too.
    old: places.map((place) => (place.name === FIRST_STORE ? databaseFolder(place) : place.folder)),
  };
}

function print(result: ReturnType<typeof resultOf>, output: Output): void {
  const { graph, from, to, digests, entities, edges, removed, added, next, back, old } = result;
  const { before, after } = digests;
  const begun = `${listed(added)} of these only other shards had read; they start from scratch`;
  tell(output, `${graph}  (${parts(from)} to ${parts(to)})`, [
    ['entities', listed(entities)],
    ...(total(added) > 0 ? [['', begun] as const] : []),
    ['live edges', `${listed(edges)}; ${count(removed)} removed`],
    ['digests', `edges ${before.edges}, and ${after.edges} in the new stores`],
    ['', `vectors ${before.vectors}, and ${after.vectors} in the new stores`],
    ...result.new.map(
      (each) => [each.graph, `${each.folder}: ${count(each.entities)} entities of its own`] as const,
    ),
  ]);
  const numbered = (steps: readonly string[]) => steps.map((step, i) => `${i + 1}. ${step}`);
  tell(output, 'Next, in this order:', numbered(next));
  tell(output, 'To go back, with all updaters of the graph stopped:', numbered(back));
  tell(output, 'Once the new stores run well, remove the old ones:', old);
}

/** What to do next, and how to go back, as steps. A whole graph has no topics between shards. */
function stepsOf({ graph, present, next, internalTopics }: ReshardPlan): { next: string[]; back: string[] } {
  const topics = internalTopics.join(' and ');
  const made = ({ length }: readonly unknown[]) =>
    length > 1 ? [`twhin topics apply, which makes ${topics} with ${length} partitions`] : [];
  const rereads = internalTopics.map((topic) => ` --reread ${topic}`).join('');
  const reread =
    present.length > 1 ? `${rereads}, the first time, since the old stores know the old topics` : '';
  return {
    next: [
      ...(present.length > 1
        ? [`delete the topics ${topics}, which have a partition for each old shard`]
        : []),
      `set graphs.${graph}.shards to ${next.length} in twhin.config.ts, wherever the graph runs`,
      ...made(next),
      `twhin run --graph ${graph}, or a process for each shard, and check with twhin stats --graph ${graph}`,
    ],
    back: [
      ...(next.length > 1 ? [`delete the topics ${topics}, if made again`] : []),
      `set graphs.${graph}.shards back to ${present.length}`,
      ...made(present),
      `twhin run --graph ${graph}${reread}; what came since is read and learned again`,
    ],
  };
}

/** A store in numbers, with the entities and edges that are its own. */
function counted({ graph, step, positions, shard, entities, edges }: Head, { folder }: StorePlace) {
  const own = { entities: total(shard?.entities ?? entities), edges: total(shard?.edges ?? edges) };
  return { graph, ...own, step, offsets: offsetsOf(positions), folder };
}

function parts(shards: number): string {
  return shards === 1 ? 'whole' : `${shards} shards`;
}
