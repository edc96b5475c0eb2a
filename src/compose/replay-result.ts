import { FatalError } from '../errors/errors.ts';
import { digest, type GraphDigest } from '../graph/digest.ts';
import type { GraphStore } from '../graph/graph-store.ts';
import type { Head } from '../graph/head.ts';
import { openForReading } from '../state/open.ts';
import type { FinishedReplay, ReplayOrder } from './replay-run.ts';

/** What a finished replay read, and what its stores hold: each entity and edge once. */
export type ReplayResult = Awaited<ReturnType<typeof resultOf>>;

/** Reads the stores of a finished replay. onProgress: called now and then with the number of entries read. */
export async function resultOf(
  { graph, into, set, parts, places }: ReplayOrder,
  { record, trained }: FinishedReplay,
  onProgress: (done: number) => void,
) {
  await using opened = new AsyncDisposableStack();
  const stores: GraphStore[] = [];
  const heads: Head[] = [];
  for (const [i, part] of parts.entries()) {
    const { folder } = places[i]!;
    const store = opened.use(await openForReading(part, places[i]));
    const head = await store?.head();
    if (store === undefined || head === undefined)
      throw new FatalError('replay-store', `${folder} holds no store; replay again with --restart`);
    stores.push(store);
    heads.push(head);
  }
  const digests: GraphDigest[] = [];
  for (const store of stores) digests.push(await digest([store], onProgress));
  // What all stores hold together.
  const whole = stores.length === 1 ? digests[0]! : await digest(stores, onProgress);
  const { consumed, rejected } = heads[0]!.events;
  const { from, until, range, publish, space } = record;
  return {
    graph: graph.name,
    into,
    set,
    from,
    until,
    range,
    publish,
    space,
    events: consumed,
    /** Events that could not be used. */
    rejected,
    entities: whole.entities,
    edges: whole.live,
    digest: whole.digest,
    /** One for each store, of the graph or of each of its shards, with what counts for it: of a shard, its own. */
    stores: heads.map(({ shard, step, events: { duplicate, late }, ...head }, i) => {
      const { entities, edges } = shard ?? head;
      const [{ folder }, { digest }] = [places[i]!, digests[i]!];
      return { graph: head.graph, folder, entities, edges, step, duplicate, late, digest };
    }),
    /** Time, and unusable events by reason; absent where an earlier process trained the store. */
    ...(trained && { seconds: trained.seconds, reasons: Object.fromEntries(trained.rejected) }),
  };
}
