import { FatalError } from '../errors/errors.ts';
import { type Digest, digest } from '../graph/digest.ts';
import type { GraphStore } from '../graph/graph-store.ts';
import type { Head } from '../graph/head.ts';
import { digestGraph } from '../graph/reshard/graph-digest.ts';
import { MergedGraph } from '../graph/reshard/merged-graph.ts';
import { openForReading } from '../state/open.ts';
import type { ReplayRecord } from '../state/places.ts';
import type { FinishedReplay, ReplayOrder } from './replay-run.ts';

/** What a finished replay read, and what its stores hold: each entity and edge once. */
export interface ReplayResult extends Pick<ReplayRecord, 'from' | 'until' | 'range' | 'publish' | 'space'> {
  readonly graph: string;
  readonly into: string;
  readonly set: readonly string[];
  readonly events: number;
  /** Events that could not be used. */
  readonly rejected: number;
  readonly entities: Readonly<Record<string, number>>;
  /** Live edges. */
  readonly edges: Readonly<Record<string, number>>;
  readonly digest: Digest;
  /** One for each store: of the graph, or of each of its shards. */
  readonly stores: readonly ReplayedStore[];
  /** Absent where an earlier process trained the store. */
  readonly seconds?: number;
  /** Unusable events by reason; absent like `seconds`. */
  readonly reasons?: Readonly<Record<string, number>>;
}

export interface ReplayedStore {
  readonly graph: string;
  readonly folder: string;
  /** Those that count for this store: of a shard, its own. */
  readonly entities: Readonly<Record<string, number>>;
  readonly edges: Readonly<Record<string, number>>;
  readonly step: number;
  readonly duplicate: number;
  readonly late: number;
  readonly digest: Digest;
}

/** Reads the stores of a finished replay. onProgress: called now and then with the number of entries read. */
export async function resultOf(
  { graph, into, set, parts, places }: ReplayOrder,
  { record, trained }: FinishedReplay,
  onProgress: (done: number) => void,
): Promise<ReplayResult> {
  await using opened = new AsyncDisposableStack();
  const stores: GraphStore[] = [];
  const heads: Head[] = [];
  const found: ReplayedStore[] = [];
  for (const [i, part] of parts.entries()) {
    const { folder } = places[i]!;
    const store = opened.use(await openForReading(part, places[i]));
    const head = await store?.head();
    if (store === undefined || head === undefined)
      throw new FatalError('replay-store', `${folder} holds no store; replay again with --restart`);
    stores.push(store);
    heads.push(head);
    const { entities, edges } = head.shard ?? head;
    const { duplicate, late } = head.events;
    const held = {
      entities,
      edges,
      step: head.step,
      duplicate,
      late,
      digest: await digest(store, onProgress),
    };
    found.push({ graph: part.name, folder, ...held });
  }
  const { events } = heads[0]!;
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
    events: events.consumed,
    rejected: events.rejected,
    ...(await wholeOf(stores, heads, found[0]!, onProgress)),
    stores: found,
    ...(trained && { seconds: trained.seconds, reasons: Object.fromEntries(trained.rejected) }),
  };
}

/** What all stores hold together. */
async function wholeOf(
  stores: readonly GraphStore[],
  heads: readonly Head[],
  first: ReplayedStore,
  onProgress: (done: number) => void,
): Promise<Pick<ReplayResult, 'entities' | 'edges' | 'digest'>> {
  if (stores.length === 1) return { entities: first.entities, edges: first.edges, digest: first.digest };
  const merged = await MergedGraph.read(stores);
  const { entities, live, edges, vectors } = await digestGraph(merged, heads, onProgress);
  return { entities, edges: live, digest: { edges, vectors } };
}
