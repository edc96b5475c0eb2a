import { FatalError, MAKE_AGAIN } from '../../errors/errors.ts';
import { EntityIndex } from '../../graph/entity-index.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import type { Head } from '../../graph/head.ts';
import { decodeEntity, type Layout } from '../../graph/layout.ts';
import { liveEdgeRows, type TrainsEdge } from '../../graph/live-edges.ts';
import { NO_TYPE } from '../../sampling/type-rows.ts';
import type { Trainer } from '../training/trainer.ts';

const LOAD_ROWS = 4096;
const LOAD_EDGES = 65_536;
/** Blocks of edges that may wait for the last rows: 50 MB. */
const WAITING_BLOCKS = 64;

/** Every entity of a store, in memory. Millions are loaded at a start, so that no object is made for each. */
export interface LoadedEntities {
  readonly index: EntityIndex;
  /** [rows] index of the row's entity type, 255 where no entity has the row; and whether the row was ever trained. */
  readonly types: Uint8Array;
  readonly trained: Uint8Array;
}

/** An empty index for the entities of a store. */
export function indexFor({ entityTypes, relations }: Layout, { rows, freed }: Head): EntityIndex {
  return new EntityIndex(rows, entityTypes, { firstRow: 2 * relations.length, freed });
}

/** Keeps a row out of use that holds a vector without an entity: damage, which `twhin check` finds. */
export function withholdOrphans(
  index: EntityIndex,
  firstRow: number,
  { first, types, floats }: { first: number; types: Uint8Array; floats: Float32Array },
): void {
  const width = floats.length / types.length;
  for (let i = Math.max(0, firstRow - first); i < types.length; i++) {
    if (types[i] !== NO_TYPE) continue;
    if (floats.subarray(i * width, (i + 1) * width).some((number) => number !== 0))
      index.free.withhold(first + i);
  }
}

export async function loadEntities(store: GraphStore, head: Head): Promise<LoadedEntities> {
  const { layout } = store;
  const { rows } = head;
  const index = indexFor(layout, head);
  const [types, trained] = [new Uint8Array(rows).fill(NO_TYPE), new Uint8Array(rows)];
  for await (const run of store.entries.runs(layout.prefixes.entities)) {
    for (const { key, value } of run) {
      layout.checkEntityKey(key);
      const kept = decodeEntity(value);
      index.restore(key, 1, key.length, kept);
      types[kept.row] = key[1] ?? NO_TYPE;
      trained[kept.row] = kept.updates > 0 ? 1 : 0;
    }
  }
  return { index, types, trained };
}

/**
 * Hands the trainer every row in order, unused rows too, so that row numbers stay the same. The trainer takes rows in
 * while the next are read.
 * @throws FatalError where the store holds a row beyond those that its head counts.
 */
export async function loadRows(
  { layout, entries }: GraphStore,
  trainer: Trainer,
  { index, types, trained }: LoadedEntities,
): Promise<void> {
  const of = types.length;
  const width = layout.dim + 2;
  const loading = new OneAhead();
  let first = 0;
  let size = Math.min(LOAD_ROWS, of);
  let floats = new Float32Array(size * width);
  const next = async () => {
    const rows = {
      types: types.slice(first, first + size),
      trained: trained.slice(first, first + size),
      floats,
    };
    withholdOrphans(index, 2 * layout.relations.length, { first, ...rows });
    await loading.after(() => trainer.loadRows(rows));
    first += size;
    size = Math.min(LOAD_ROWS, of - first);
    floats = new Float32Array(size * width);
  };
  for await (const run of entries.runs(layout.prefixes.vectors)) {
    for (const { key, value } of run) {
      const row = layout.rowOf(key);
      if (row >= of) throw rowBeyond(row, of);
      while (row >= first + size) await next();
      new Uint8Array(floats.buffer).set(value.subarray(0, width * 4), (row - first) * width * 4);
    }
  }
  while (first < of) await next();
  await loading.done();
}

/**
 * Hands the trainer the live edges that it trains. Gives the number of all by relation. after: resolves once the rows are loaded, which
 * edges refer to; until then a bounded number of edges waits.
 */
export async function loadEdges(
  store: GraphStore,
  trainer: Trainer,
  { index }: LoadedEntities,
  after: Promise<void>,
  trains: TrainsEdge,
): Promise<Record<string, number>> {
  const counts = new Array<number>(store.layout.relations.length).fill(0);
  const waiting: Parameters<Trainer['loadEdges']>[0][] = [];
  const loading = new OneAhead();
  const handOver = async () => {
    await after;
    for (const edges of waiting.splice(0)) await loading.after(() => trainer.loadEdges(edges));
  };
  let rowsLoaded = false;
  after.then(
    () => {
      rowsLoaded = true;
    },
    () => undefined,
  );
  for await (const edges of liveEdgeRows(store, index.names, LOAD_EDGES, counts, trains)) {
    waiting.push(edges);
    if (rowsLoaded || waiting.length === WAITING_BLOCKS) await handOver();
  }
  await handOver();
  await loading.done();
  return Object.fromEntries(store.layout.relations.map(({ name }, i) => [name, counts[i] ?? 0]));
}

function rowBeyond(row: number, of: number): FatalError {
  return new FatalError(
    'store-damaged',
    `the store holds row ${row}, but its head counts ${of} rows; ${MAKE_AGAIN}`,
  );
}

/** Work of which one piece is under way while the next is prepared. */
export class OneAhead {
  #underWay: Promise<void> = Promise.resolve();

  /** Starts the next piece once the one before is done. */
  async after(next: () => Promise<void>): Promise<void> {
    await this.#underWay;
    this.#underWay = next();
    // Avoids an unhandled rejection: the failure is met in `after` or `done`.
    this.#underWay.catch(() => undefined);
  }

  async done(): Promise<void> {
    await this.#underWay;
  }
}
