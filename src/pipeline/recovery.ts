import { FatalError } from '../errors.ts';
import type { EntityIndex } from '../graph/entity-index.ts';
import type { GraphStore } from '../graph/graph-store.ts';
import { differences, fingerprint, type Head, type ModelIdentity } from '../graph/head.ts';
import { namesIn, type OutboxPart } from '../graph/outbox.ts';
import { loadEdges, loadEntities, loadRows } from './load-store.ts';
import type { Trainer } from './training/trainer.ts';

/** What a store stood at, brought back into memory. */
export interface Recovered {
  readonly head: Head | undefined;
  readonly index: EntityIndex;
  readonly outbox: OutboxPart[];
  readonly erasedAt: Map<string, number>;
  /** How long each part of it took. */
  readonly took: { readonly entitiesMs: number; readonly rowsAndEdgesMs: number };
}

export interface RecoveryOptions {
  /** The same store, read elsewhere: what takes longest is shared out between the two. */
  readonly view?: GraphStore | undefined;
  readonly onProgress?: (done: { rows: number; of: number }) => void;
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
  clock: () => number,
  { view = store, onProgress = () => {} }: RecoveryOptions = {},
): Promise<Recovered> {
  const head = await store.head();
  if (head) checkIdentity(head, graph, model);
  const relationRows = 2 * model.relations.length;
  const began = clock();
  if (head === undefined)
    for await (const { key } of store.entities()) throw lost(graph, `it holds ${key}, but no head`);
  const loaded = await loadEntities(view, head?.rows ?? relationRows);
  const { index } = loaded;
  const outbox: OutboxPart[] = [];
  const erasedAt = new Map<string, number>();
  const entitiesMs = clock() - began;
  if (head) {
    // Side by side: while RocksDB reads of the one, what it read of the other is looked at.
    const rows = loadRows(store, trainer, loaded, onProgress);
    const [edges] = await Promise.all([loadEdges(view, trainer, loaded, rows), rows]);
    for await (const part of view.outboxParts()) outbox.push(part);
    checkWhole(graph, [
      ['entities', head.entities, index.counts()],
      ['live edges', head.edges, edges],
      ['vectors to publish', { all: head.outbox }, { all: namesIn(outbox).size }],
      [
        'parts of the outbox',
        { all: head.outboxParts },
        { all: outbox.filter(({ number }) => number !== undefined).length },
      ],
    ]);
    for await (const { name, at } of store.erasures()) erasedAt.set(name, at);
  }
  await trainer.start(head && { step: head.step, random: Uint32Array.from(head.random) });
  const took = { entitiesMs, rowsAndEdgesMs: clock() - began - entitiesMs };
  return { head, index, outbox, erasedAt, took };
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
