import { FatalError } from '../errors.ts';
import type { EntityKey } from '../graph/entity.ts';
import { EntityIndex } from '../graph/entity-index.ts';
import { type GraphStore, inBatches } from '../graph/graph-store.ts';
import { differences, fingerprint, type Head, type ModelIdentity } from '../graph/head.ts';
import type { LoadedRows, Trainer } from './trainer.ts';

const LOAD_ROWS = 4096;
const LOAD_EDGES = 65_536;
const NO_TYPE = 255;

/** What a store stood at, brought back into memory. */
export interface Recovered {
  readonly head: Head | undefined;
  readonly index: EntityIndex;
  readonly outbox: EntityKey[];
  readonly erasedAt: Map<string, number>;
}

/**
 * Brings index, trainer, outbox and erasures back from the store; on a fresh one, starts them.
 * @throws FatalError when the store is another graph's or another model's, saying what differs, or when some of it is
 * lost: RocksDB does not notice where its list of files is cut.
 */
export async function recover(
  store: GraphStore,
  trainer: Trainer,
  graph: string,
  model: ModelIdentity,
  onProgress: (done: { rows: number; of: number }) => void = () => {},
): Promise<Recovered> {
  const head = await store.head();
  if (head) checkIdentity(head, graph, model);
  const relationRows = 2 * model.relations.length;
  const index = new EntityIndex(head?.rows ?? relationRows);
  const outbox: EntityKey[] = [];
  const erasedAt = new Map<string, number>();
  if (head) {
    for await (const record of store.entities()) index.restore(record);
    await loadRows(store, trainer, index, head.rows, onProgress);
    const edges = await loadEdges(store, trainer, index);
    for await (const key of store.outbox()) outbox.push(key);
    checkWhole(graph, [
      ['entities', head.entities, index.counts()],
      ['live edges', head.edges, edges],
      ['vectors to publish', { all: head.outbox }, { all: outbox.length }],
    ]);
    for await (const { name, at } of store.erasures()) erasedAt.set(name, at);
  } else {
    for await (const { key } of store.entities()) throw lost(graph, `it holds ${key}, but no head`);
  }
  await trainer.start(head && { step: head.step, random: Uint32Array.from(head.random) });
  return { head, index, outbox, erasedAt };
}

function checkIdentity(head: Head, graph: string, model: ModelIdentity): void {
  if (head.graph !== graph) {
    throw new FatalError(
      'store-graph',
      `the store holds the graph ${head.graph}, not ${graph}; point TWHIN_STATE elsewhere`,
    );
  }
  const differing = differences(head.model, model);
  if (differing.length === 0) return;
  throw new FatalError(
    'store-model',
    `the store of ${graph} is another model's (fingerprint ${fingerprint(head.model)}, configured ${fingerprint(model)}).\n` +
      `${differing.map((line) => `  ${line}`).join('\n')}\n` +
      'Put the configuration back, or give the new model a folder of its own in TWHIN_STATE: it is rebuilt from the topics.',
  );
}

/** Hands the trainer every row in order, holes and all, so that row numbers come out the same. */
async function loadRows(
  store: GraphStore,
  trainer: Trainer,
  index: EntityIndex,
  rows: number,
  onProgress: (done: { rows: number; of: number }) => void,
): Promise<void> {
  const width = store.layout.dim + 2;
  let first = 0;
  let chunk = emptyRows(Math.min(LOAD_ROWS, rows), width);
  const next = async () => {
    const size = chunk.types.length;
    await trainer.loadRows(chunk);
    first += size;
    onProgress({ rows: first, of: rows });
    chunk = emptyRows(Math.min(LOAD_ROWS, rows - first), width);
  };
  for await (const { row, floats } of store.rows()) {
    if (row >= rows) {
      throw new FatalError(
        'store-damaged',
        `the store holds row ${row}, but its head counts ${rows} rows; start from a fresh TWHIN_STATE: it is rebuilt from the topics`,
      );
    }
    while (row >= first + chunk.types.length) await next();
    const record = index.record(row);
    const i = row - first;
    chunk.floats.set(floats, i * width);
    if (record === undefined) continue;
    chunk.types[i] = store.layout.typeIndex(record.key.slice(0, record.key.indexOf(':'))) ?? NO_TYPE;
    chunk.trained[i] = record.updates > 0 ? 1 : 0;
  }
  while (first < rows) await next();
}

function emptyRows(count: number, width: number): LoadedRows {
  return {
    types: new Uint8Array(count).fill(NO_TYPE),
    trained: new Uint8Array(count),
    floats: new Float32Array(count * width),
  };
}

/** Gives how many are live, by relation. */
async function loadEdges(
  store: GraphStore,
  trainer: Trainer,
  index: EntityIndex,
): Promise<Record<string, number>> {
  const { layout } = store;
  const counts: Record<string, number> = {};
  for await (const batch of inBatches(store.edges(), LOAD_EDGES)) {
    const live = batch.filter(({ removed }) => !removed);
    for (const { relation } of live) counts[relation] = (counts[relation] ?? 0) + 1;
    const row = (key: EntityKey) => {
      const found = index.find(key);
      if (found === undefined)
        throw new FatalError('store-damaged', `an edge names ${key}, which the store lacks`);
      return found;
    };
    await trainer.loadEdges({
      lhs: Int32Array.from(live, (edge) => row(edge.lhs)),
      relation: Int32Array.from(live, (edge) => layout.relationIndex(edge.relation) ?? 0),
      rhs: Int32Array.from(live, (edge) => row(edge.rhs)),
    });
  }
  return counts;
}

type Counts = Readonly<Record<string, number>>;

/** @throws FatalError where there is less than the head counts. More is no loss, and for a check to find. */
function checkWhole(
  graph: string,
  all: readonly (readonly [what: string, counted: Counts, there: Counts])[],
): void {
  for (const [what, counted, there] of all) {
    for (const [name, count] of Object.entries(counted)) {
      const found = there[name] ?? 0;
      if (found < count)
        throw lost(graph, `it holds ${found} ${what} (${name}), and its head counts ${count}`);
    }
  }
}

function lost(graph: string, what: string): FatalError {
  return new FatalError(
    'store-damaged',
    `a part of the store of ${graph} is lost: ${what}; twhin check says more. Make the store again beside it, with ` +
      'twhin restore DIR --into NAME or twhin replay --into NAME, and put that in its place with twhin replay promote NAME',
  );
}
