import { FatalError } from '../errors/errors.ts';
import type { EntityKey } from '../graph/entity.ts';
import type { GraphStore } from '../graph/graph-store.ts';
import type { Head } from '../graph/head.ts';
import type { Layout } from '../graph/layout.ts';
import { createKernel } from '../kernels/select.ts';
import { workspaceBytes } from '../kernels/workspace.ts';
import type { Kernel, KernelChoice } from '../model/kernel.ts';
import { SCORERS } from '../model/scorers.ts';
import type { ModelSettings, ScorerName } from '../model/settings.ts';
import { Table } from '../model/table.ts';

/** Anchors and candidates of one matrix product: what stays in the cache. */
const MOST_ANCHORS = 64;
const MOST_CANDIDATES = 512;

/** The vectors of a graph, in a table on which a kernel scores. */
export interface Space {
  readonly model: ModelSettings;
  readonly table: Table;
  readonly kernel: Pick<Kernel, 'scoreMatrix'>;
  /** The row of an entity; undefined where the space does not have it. */
  rowOf(key: EntityKey): number | undefined;
  /** The row of a relation's vector: the one that finds rhs from lhs, or the reverse one. */
  relationRow(relation: string, reverse: boolean): number;
}

/** A store's vectors as of its checkpoint; newer entities lie at the origin. @throws FatalError `store-model` as {@link scorerNamed}. */
export async function readSpace(
  store: GraphStore,
  head: Head,
  kernel: KernelChoice = 'wasm',
): Promise<Space> {
  const rows = new Map<EntityKey, number>();
  for await (const { key, row } of store.entities()) rows.set(key, row);
  const space = emptySpace(store.layout, head, { kernel, rows, maxRows: head.rows });
  const { table } = space;
  for await (const { row, floats } of store.rows())
    if (row < head.rows) table.vector(row).set(floats.subarray(0, table.dim));
  return space;
}

/** A space of a model, all of whose vectors lie at the origin. rows: those of the entities, below `maxRows`. */
export function emptySpace(
  { dim, relations }: Layout,
  { model: { scorer } }: Head,
  { kernel, rows, maxRows }: { kernel: KernelChoice; rows: ReadonlyMap<EntityKey, number>; maxRows: number },
): Space {
  // β is 1, for it does not change an order; training settings have no effect.
  const model: ModelSettings = {
    dim,
    scorer: scorerNamed(scorer),
    loss: 'softmax',
    beta: 1,
    margin: 0,
    negativeWeight: 1,
    learningRate: 1,
    unitBall: false,
  };
  const room = workspaceBytes(model, MOST_ANCHORS, MOST_CANDIDATES);
  const table = new Table({ dim, maxRows, workspaceBytes: room });
  table.addRows(maxRows);
  const size = { maxEdges: MOST_ANCHORS, maxCandidates: MOST_CANDIDATES };
  return {
    model,
    table,
    kernel: createKernel(kernel, table, model, size),
    rowOf: (key) => rows.get(key),
    relationRow: (relation, reverse) =>
      2 * relations.findIndex(({ name }) => name === relation) + (reverse ? 1 : 0),
  };
}

/** @throws FatalError `store-model` for a scorer that this version lacks. */
export function scorerNamed(name: string): ScorerName {
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
