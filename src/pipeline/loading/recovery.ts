import { EntityIndex } from '../../graph/entity-index.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import { decodeHead, type Head, type ModelIdentity, refuseOther } from '../../graph/head.ts';
import { namesIn, type OutboxPart } from '../../graph/outbox.ts';
import type { Shard } from '../../graph/shard.ts';
import { alone, type Neighbourhood } from '../neighbours.ts';
import type { Trainer } from '../training/trainer.ts';
import { checkWhole, countGraph, lost } from './completeness.ts';
import { loadEdges, loadEntities, loadRows } from './from-store.ts';
import { type Image, loadImage } from './image.ts';

/** The state of a store, brought back into memory. */
export interface Recovered {
  readonly head: Head | undefined;
  readonly index: EntityIndex;
  readonly outbox: OutboxPart[];
  readonly erasedAt: Map<string, number>;
  /** True: loaded from an image, and the entries of the view are still to be counted. */
  readonly uncounted: boolean;
  /** Time that each part of loading took, ms. */
  readonly took: Readonly<Record<string, number>>;
}

export interface RecoveryOptions {
  /** The same store, opened a second time: the longest reads are shared between the two. */
  readonly view?: GraphStore | undefined;
  /** Loaded instead of the store's entities, rows and edges where the image is of the store's head. */
  readonly image?: Image | undefined;
  /** Which shard of a graph the store is to be; undefined: the whole graph. */
  readonly shard?: Shard | undefined;
  readonly neighbourhood?: Pick<Neighbourhood, 'trains'>;
}

/**
 * Brings index, trainer, outbox and erasures back from the store; starts them on a fresh store.
 * @throws FatalError when the store is another graph's or another model's, saying what differs, or when entries are
 * lost: RocksDB does not notice a truncated list of files.
 */
export async function recover(
  store: GraphStore,
  trainer: Trainer,
  graph: string,
  model: ModelIdentity,
  clock: () => number,
  { view = store, image, shard, neighbourhood = alone }: RecoveryOptions = {},
): Promise<Recovered> {
  const bytes = await store.headBytes();
  const head = bytes && decodeHead(bytes);
  if (head) refuseOther(head, { name: graph, model, shard });
  const relationRows = 2 * model.relations.length;
  const began = clock();
  if (bytes === undefined || head === undefined) {
    for await (const { key } of store.entities()) throw lost(graph, `it holds ${key}, but no head`);
    await trainer.start(undefined);
    const index = new EntityIndex(relationRows, store.layout.entityTypes);
    return { head, index, outbox: [], erasedAt: new Map(), uncounted: false, took: {} };
  }
  const blocks = await image?.read(bytes);
  const { index, entitiesMs } = blocks
    ? { index: await loadImage(blocks, store.layout, head, trainer), entitiesMs: undefined }
    : await fromStore(store, view, head, trainer, clock, neighbourhood);
  const uncounted = blocks !== undefined && view !== store;
  // Without a view, the store has to be counted before anything is written.
  if (blocks !== undefined && !uncounted) checkWhole(head, await countGraph(store));
  const outbox = await Array.fromAsync(view.outboxParts());
  const waiting = { names: namesIn(outbox).size, parts: outbox.length };
  checkWhole(head, { ...head, outbox: waiting });
  const erasedAt = new Map<string, number>();
  for await (const { name, at } of store.erasures()) erasedAt.set(name, at);
  await trainer.start({ step: head.step, random: Uint32Array.from(head.random) });
  const all = clock() - began;
  const took: Readonly<Record<string, number>> =
    entitiesMs === undefined ? { imageMs: all } : { entitiesMs, rowsAndEdgesMs: all - entitiesMs };
  return { head, index, outbox, erasedAt, uncounted, took };
}

async function fromStore(
  store: GraphStore,
  view: GraphStore,
  head: Head,
  trainer: Trainer,
  clock: () => number,
  neighbourhood: Pick<Neighbourhood, 'trains'>,
): Promise<{ readonly index: EntityIndex; readonly entitiesMs: number }> {
  const began = clock();
  const loaded = await loadEntities(view, head);
  const entitiesMs = clock() - began;
  // In parallel: edges are decoded while rows are read.
  const rows = loadRows(store, trainer, loaded);
  const trains = neighbourhood.trains(loaded.index, store.layout);
  const [edges] = await Promise.all([loadEdges(view, trainer, loaded, rows, trains), rows]);
  checkWhole(head, { entities: loaded.index.counts(), edges });
  return { index: loaded.index, entitiesMs };
}
