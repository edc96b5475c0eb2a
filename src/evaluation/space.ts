import { FatalError } from '../errors/errors.ts';
import { type EntityKey, typeOf } from '../graph/entity.ts';
import type { GraphStore, StoredRow } from '../graph/graph-store.ts';
import type { Head } from '../graph/head.ts';
import { createKernel } from '../kernels/select.ts';
import { workspaceBytes } from '../kernels/workspace.ts';
import type { Kernel, KernelChoice } from '../model/kernel.ts';
import { SCORERS } from '../model/scorers.ts';
import type { ModelSettings, ScorerName } from '../model/settings.ts';
import { Table } from '../model/table.ts';

/** The entities of one type. */
export interface Members {
  readonly keys: readonly EntityKey[];
  /** [keys] the row of each. */
  readonly rows: Int32Array;
}

/** An entity, and the row of its vector in a store. */
export interface Placed {
  readonly key: EntityKey;
  readonly row: number;
}

/** Anchors and candidates of one matrix product: what stays in the cache. */
const MOST_ANCHORS = 64;
const MOST_CANDIDATES = 512;
const PROGRESS_EVERY = 10_000;
const READ_ROWS = 1_024;

/** The vectors of a store as of one commit, in a table on which a kernel scores. */
export class Space {
  readonly model: ModelSettings;
  readonly table: Table;
  readonly kernel: Pick<Kernel, 'scoreMatrix'>;
  readonly #members: ReadonlyMap<string, Members>;
  readonly #rows: ReadonlyMap<EntityKey, number>;
  readonly #relations: readonly string[];

  private constructor(
    parts: { model: ModelSettings; table: Table; kernel: Kernel },
    relations: readonly string[],
    entities: ReadonlyMap<string, EntityKey[]>,
    rows: ReadonlyMap<EntityKey, number>,
  ) {
    this.model = parts.model;
    this.table = parts.table;
    this.kernel = parts.kernel;
    this.#relations = relations;
    this.#rows = rows;
    this.#members = new Map(
      [...entities].map(([type, keys]) => [
        type,
        { keys, rows: Int32Array.from(keys, (key) => rows.get(key)!) },
      ]),
    );
  }

  /**
   * Reads a store: each entity and its vector, or those of `only` alone, each once.
   * unseen: entities that take part although no event has named them; an entity without a vector lies at the origin.
   * @throws FatalError `store-model` when the store was trained with a scorer that this version lacks.
   */
  static async read(
    store: GraphStore,
    head: Head,
    options: {
      readonly kernel?: KernelChoice;
      readonly only?: readonly Placed[];
      readonly unseen?: Iterable<EntityKey>;
      readonly onProgress?: (vectors: number) => void;
    } = {},
  ): Promise<Space> {
    const { kernel = 'wasm', only, unseen = [], onProgress } = options;
    const { dim, relations, entityTypes } = store.layout;
    const model = rankingModel(dim, head.model.scorer);
    const entities = new Map<string, EntityKey[]>(entityTypes.map((type) => [type, []]));
    const rows = new Map<EntityKey, number>();
    const put = (key: EntityKey, row: number) => {
      if (rows.has(key)) return false;
      rows.set(key, row);
      entities.get(typeOf(key))?.push(key);
      return true;
    };
    const firstRow = 2 * relations.length;
    let next = firstRow;
    if (only === undefined) {
      for await (const { key, row } of store.entities()) put(key, row);
      next = Math.max(head.rows, firstRow);
    } else {
      for (const { key } of only) put(key, next++);
    }
    for (const key of unseen) if (put(key, next)) next++;
    const table = new Table({
      dim,
      maxRows: next,
      workspaceBytes: workspaceBytes(model, MOST_ANCHORS, MOST_CANDIDATES),
    });
    table.addRows(next);
    let read = 0;
    for await (const { row, floats } of only === undefined ? store.rows() : someRows(store, firstRow, only)) {
      table.vector(row).set(floats.subarray(0, dim));
      if (++read % PROGRESS_EVERY === 0) onProgress?.(read);
    }
    const size = { maxEdges: MOST_ANCHORS, maxCandidates: MOST_CANDIDATES };
    const names = relations.map(({ name }) => name);
    return new Space(
      { model, table, kernel: createKernel(kernel, table, model, size) },
      names,
      entities,
      rows,
    );
  }

  /**
   * Reads the stores of all shards of a graph: each entity's vector from the shard that owns it, and the mean of the shards'
   * relation vectors. unseen: as in {@link read}.
   */
  static async join(
    parts: readonly {
      readonly store: GraphStore;
      readonly head: Head;
      owns(key: EntityKey): boolean;
    }[],
    { kernel = 'wasm', unseen = [] }: { kernel?: KernelChoice; unseen?: Iterable<EntityKey> } = {},
  ): Promise<Space> {
    const [first] = parts;
    if (first === undefined) throw new FatalError('store-missing', 'a graph without shards has no vectors');
    const { dim, relations, entityTypes } = first.store.layout;
    const model = rankingModel(dim, first.head.model.scorer);
    const entities = new Map<string, EntityKey[]>(entityTypes.map((type) => [type, []]));
    const rows = new Map<EntityKey, number>();
    const firstRow = 2 * relations.length;
    const put = (key: EntityKey) => {
      if (rows.has(key)) return;
      rows.set(key, firstRow + rows.size);
      entities.get(typeOf(key))?.push(key);
    };
    const owned: Placed[][] = [];
    for (const { store, owns } of parts) {
      const placed: Placed[] = [];
      for await (const { key, row } of store.entities()) if (owns(key)) placed.push({ key, row });
      for (const { key } of placed) put(key);
      owned.push(placed);
    }
    for (const key of unseen) put(key);
    const maxRows = firstRow + rows.size;
    const table = new Table({
      dim,
      maxRows,
      workspaceBytes: workspaceBytes(model, MOST_ANCHORS, MOST_CANDIDATES),
    });
    table.addRows(maxRows);
    for (const [i, { store }] of parts.entries()) {
      const placed = owned[i]!;
      for await (const { row, floats } of someRows(store, firstRow, placed)) {
        const key = placed[row - firstRow]?.key;
        const vector = table.vector(key === undefined ? row : rows.get(key)!);
        if (key !== undefined) vector.set(floats.subarray(0, dim));
        else for (let k = 0; k < dim; k++) vector[k]! += floats[k]! / parts.length;
      }
    }
    const size = { maxEdges: MOST_ANCHORS, maxCandidates: MOST_CANDIDATES };
    const names = relations.map(({ name }) => name);
    return new Space(
      { model, table, kernel: createKernel(kernel, table, model, size) },
      names,
      entities,
      rows,
    );
  }

  /** The entities of a type, in the order of the store. */
  members(type: string): Members {
    return this.#members.get(type) ?? { keys: [], rows: new Int32Array(0) };
  }

  /** The row of an entity; undefined where neither the store nor `unseen` has the entity. */
  rowOf(key: EntityKey): number | undefined {
    return this.#rows.get(key);
  }

  /** The row of a relation's vector: the one that finds rhs from lhs, or the reverse one. */
  relationRow(relation: string, reverse: boolean): number {
    return 2 * this.#relations.indexOf(relation) + (reverse ? 1 : 0);
  }
}

/** The rows of relations where they are, then those of the entities one after the other; rows not stored are left out. */
async function* someRows(
  store: GraphStore,
  firstRow: number,
  only: readonly Placed[],
): AsyncIterable<Pick<StoredRow, 'row' | 'floats'>> {
  const stored = [...Array.from({ length: firstRow }, (_, row) => row), ...only.map(({ row }) => row)];
  for (let first = 0; first < stored.length; first += READ_ROWS) {
    const found = await store.readRows(stored.slice(first, first + READ_ROWS));
    for (const [i, row] of found.entries()) if (row) yield { row: first + i, floats: row.floats };
  }
}

/** What scoring needs to know of a model. β is 1, for it does not change an order; training settings have no effect. */
function rankingModel(dim: number, scorer: string): ModelSettings {
  return {
    dim,
    scorer: scorerNamed(scorer),
    loss: 'softmax',
    beta: 1,
    margin: 0,
    negativeWeight: 1,
    learningRate: 1,
    unitBall: false,
  };
}

function scorerNamed(name: string): ScorerName {
  if (isScorer(name)) return name;
  const names = Object.keys(SCORERS).join(', ');
  throw new FatalError(
    'store-model',
    `a store was trained with the scorer ${name}; this version has ${names}`,
  );
}

function isScorer(name: string): name is ScorerName {
  return Object.hasOwn(SCORERS, name);
}
