import { existsSync } from 'node:fs';
import { edgesName, exchangeName, topicName } from '../../../topics/index.ts';
import { threadTrainer } from '../../adapters/trainer/thread.ts';
import type { GraphConfig } from '../../config/resolve.ts';
import { FatalError, UsageError } from '../../errors/errors.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import { type Head, refuseOther } from '../../graph/head.ts';
import { nextHead } from '../../graph/reshard/next-head.ts';
import type { Log } from '../../log.ts';
import { recover } from '../../pipeline/loading/recovery.ts';
import { Checkpointer } from '../../pipeline/writing/checkpointer.ts';
import { ofShard } from '../../shards/foreign-rows.ts';
import { isStore, openForWriting } from '../../state/open.ts';
import { livePlace, liveSettings, placeOf, reshardedName, type StorePlace } from '../../state/places.ts';
import type { CommandContext } from '../context.ts';
import { selectParts } from '../select.ts';

export type ReshardPlan = Awaited<ReturnType<typeof planReshard>>;

/** The stores there are, in the order of the shards. */
export interface PresentStores {
  readonly places: readonly StorePlace[];
  readonly stores: readonly GraphStore[];
  readonly heads: readonly Head[];
}

/** @throws UsageError where there is nothing to do; FatalError where a new store would have no free place. */
export async function planReshard(graph: string, to: number, { config }: Pick<CommandContext, 'config'>) {
  const plain = await config();
  const there = selectParts(plain, graph);
  if (there.length === to) {
    throw new UsageError(
      `--to: expected another number than graphs.${graph}.shards, which is ${to} already: the configuration keeps the present number ` +
        'until the command is done',
    );
  }
  const set = liveSettings(there);
  // With the settings that the live stores were trained with.
  const present = selectParts(await config(set), graph);
  const next = selectParts(await config([...set, `graphs.${graph}.shards=${to}`]), graph);
  const targets = next.map((each) => placeOf(each, reshardedName(to)));
  const taken = targets.filter(({ folder }) => existsSync(folder));
  if (taken.length > 0) {
    throw new FatalError(
      'store-exists',
      `there are stores of an earlier reshard to ${to} already, and stores are never replaced: ${foldersOf(taken)}. Move them away, ` +
        'and give the command again',
    );
  }
  // With a partition for each shard.
  const internalTopics = [exchangeName(graph), edgesName(graph)].map((name) =>
    topicName(plain.topicPrefix, name),
  );
  return { graph, present, next, targets, internalTopics, set };
}

/**
 * Holds every present store, as an updater does, while `work` reads them, so that none can change meanwhile. Those of updaters that
 * were killed are settled first. @throws FatalError where one is missing, in use, or of another model, shard or training than the others.
 */
export async function withPresentStores<T>(
  { graph, present, next, internalTopics }: ReshardPlan,
  log: Log,
  work: (present: PresentStores) => Promise<T>,
): Promise<T> {
  const places = present.map((each) => livePlace(each));
  // Opening makes a store where there is none.
  refuseMissing(
    graph,
    places.filter((place) => !isStore(place)),
  );
  for (const [i, each] of present.entries()) await settle(each, log, places[i]!);
  await using opened = new AsyncDisposableStack();
  const stores: GraphStore[] = [];
  for (const [i, each] of present.entries())
    stores.push(opened.use(await openForWriting(each, { place: places[i]! })));
  const found = await Promise.all(stores.map((store) => store.head()));
  refuseMissing(
    graph,
    places.filter((_, i) => found[i] === undefined),
  );
  const heads = found.filter((head) => head !== undefined);
  for (const [i, each] of present.entries()) refuseOther(heads[i]!, each);
  // Refuses stores that are not of one training before anything is written.
  nextHead(heads, { graphs: next, internalTopics, runs: [] }, 0);
  return await work({ places, stores, heads });
}

/** Brings the checkpoint of a killed process's store up to its last commit, as a start of `twhin run` and a regular stop would. */
async function settle(graph: GraphConfig, log: Log, place: StorePlace): Promise<void> {
  const { name, model, shard } = graph;
  await using store = await openForWriting(graph, { place });
  const head = await store.head();
  if (head === undefined || head.commit === head.checkpoint) return;
  const trainer = threadTrainer(shard ? ofShard(graph.trainer, shard) : graph.trainer);
  try {
    const { due, trained } = await recover(store, trainer, name, model, Date.now, { shard });
    await trained;
    const options = { graph: name, store, trainer, log, clock: Date.now, tuning: { recoverMs: 0 } };
    await new Checkpointer(options, head).settle(head, due);
  } finally {
    await trainer.stop();
  }
}

function foldersOf(places: readonly StorePlace[]): string {
  return places.map(({ folder }) => folder).join(', ');
}

function refuseMissing(graph: string, places: readonly StorePlace[]): void {
  const [first] = places;
  if (first === undefined) return;
  throw new FatalError(
    'store-missing',
    `there is no store in ${foldersOf(places)}, and all stores of ${graph} are needed here. Bring them to this state folder, or make ` +
      `them again with twhin restore DIR --graph ${first.graph}`,
  );
}
