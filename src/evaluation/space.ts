import { FatalError } from '../errors/errors.ts';
import { type EntityKey, typeOf } from '../graph/entity.ts';
import type { GraphStore } from '../graph/graph-store.ts';
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
interface Placed {
  readonly key: EntityKey;
  readonly row: number;
}

/** A store of a graph, or of one of its shards. */
export interface SpacePart {
  readonly store: GraphStore;
  readonly head: Head;
  /** Entities that are read: all unless given. */
  owns?(key: EntityKey): boolean;
}

/** Anchors and candidates of one matrix product: what stays in the cache. */
const MOST_ANCHORS = 64;
const MOST_CANDIDATES = 512;
const READ_ROWS = 1_024;

/** The vectors of a store as of its checkpoint, in a table on which a kernel scores. */
export interface Space {
  readonly model: ModelSettings;
  readonly table: Table;
  readonly kernel: Pick<Kernel, 'scoreMatrix'>;
  /** The entities of a type, in the order of the store. */
  members(type: string): Members;
  /** The row of an entity; undefined where neither the store nor `unseen` has the entity. */
  rowOf(key: EntityKey): number | undefined;
  /** The row of a relation's vector: the one that finds rhs from lhs, or the reverse one. */
  relationRow(relation: string, reverse: boolean): number;
}

/**
 * Reads a whole store, or the stores of all shards of a graph as one space: each entity's vector from the shard that owns it,
 * and the mean of the shards' relation vectors. Each entity of a whole store has the row that it has there.
 * unseen: entities that take part although no event has named them; an entity without a vector, and one that is newer than the
 * checkpoint, lies at the origin.
 * @throws FatalError `store-model` when the store was trained with a scorer that this version lacks.
 */
export async function readSpace(
  parts: readonly [SpacePart, ...SpacePart[]],
  {
    kernel = 'wasm',
    unseen = [],
  }: { readonly kernel?: KernelChoice; readonly unseen?: Iterable<EntityKey> } = {},
): Promise<Space> {
  const [{ store, head }] = parts;
  const { dim, relations, entityTypes } = store.layout;
  const model = rankingModel(dim, head.model.scorer);
  const entities = new Map<string, EntityKey[]>(entityTypes.map((type) => [type, []]));
  const rows = new Map<EntityKey, number>();
  const firstRow = 2 * relations.length;
  const put = (key: EntityKey, row: number) => {
    if (rows.has(key)) return;
    rows.set(key, row);
    entities.get(typeOf(key))?.push(key);
  };
  const placed = await Promise.all(parts.map(placedIn));
  const keeps = parts.length === 1 && parts[0].owns === undefined;
  for (const { key, row } of placed.flat()) put(key, keeps ? row : firstRow + rows.size);
  let maxRows = keeps ? Math.max(head.rows, firstRow) : firstRow + rows.size;
  for (const key of unseen) if (!rows.has(key)) put(key, maxRows++);
  const table = new Table({
    dim,
    maxRows,
    workspaceBytes: workspaceBytes(model, MOST_ANCHORS, MOST_CANDIDATES),
  });
  table.addRows(maxRows);
  for (const [i, part] of parts.entries()) {
    for await (const { place, floats } of rowsIn(part, firstRow, placed[i]!)) {
      const key = placed[i]![place - firstRow]?.key;
      const vector = table.vector(key === undefined ? place : rows.get(key)!);
      if (key !== undefined) vector.set(floats.subarray(0, dim));
      else for (let k = 0; k < dim; k++) vector[k]! += floats[k]! / parts.length;
    }
  }
  const size = { maxEdges: MOST_ANCHORS, maxCandidates: MOST_CANDIDATES };
  return {
    model,
    table,
    kernel: createKernel(kernel, table, model, size),
    members: (type) => {
      const keys = entities.get(type) ?? [];
      return { keys, rows: Int32Array.from(keys, (key) => rows.get(key)!) };
    },
    rowOf: (key) => rows.get(key),
    relationRow: (relation, reverse) =>
      2 * relations.findIndex(({ name }) => name === relation) + (reverse ? 1 : 0),
  };
}

async function placedIn({ store, owns }: SpacePart): Promise<readonly Placed[]> {
  const placed: Placed[] = [];
  for await (const each of store.entities()) if (owns === undefined || owns(each.key)) placed.push(each);
  return placed;
}

/** The rows of relations at their places, then those of the entities one after the other; rows that the checkpoint lacks are left out. */
async function* rowsIn(
  { store }: SpacePart,
  firstRow: number,
  placed: readonly Placed[],
): AsyncIterable<{ readonly place: number; readonly floats: Float32Array }> {
  const stored = [...Array.from({ length: firstRow }, (_, row) => row), ...placed.map(({ row }) => row)];
  for (let first = 0; first < stored.length; first += READ_ROWS) {
    const found = await store.readRows(stored.slice(first, first + READ_ROWS));
    for (const [i, row] of found.entries()) if (row) yield { place: first + i, floats: row };
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
