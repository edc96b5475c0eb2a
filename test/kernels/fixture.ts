import { createKernel } from '../../src/kernels/select.ts';
import { workspaceBytes } from '../../src/kernels/workspace.ts';
import type { Chunk, Kernel, KernelChoice } from '../../src/model/kernel.ts';
import type { LossName, ModelSettings, ScorerName } from '../../src/model/settings.ts';
import { Table } from '../../src/model/table.ts';
import { Dice } from '../faults/dice.ts';
import { TFJS_FOLDER } from './tfjs/installed.ts';

export const SCORER_NAMES: readonly ScorerName[] = ['transe-l1', 'transe-l2', 'transe-l2-squared', 'twhin'];
export const LOSS_NAMES: readonly LossName[] = ['softmax', 'logistic', 'margin'];
/** Every scorer with every loss. */
export const MODELS = SCORER_NAMES.flatMap((scorer) => LOSS_NAMES.map((loss) => ({ scorer, loss })));

export const DEFAULTS: ModelSettings = {
  dim: 3,
  scorer: 'transe-l2',
  loss: 'softmax',
  beta: 2,
  margin: 0.5,
  negativeWeight: 1.5,
  learningRate: 0.1,
  unitBall: false,
};

/** Uniform numbers in [0, 1), the same for the same seed. */
export function seeded(seed: number): () => number {
  const dice = new Dice(seed);
  return () => dice.next();
}

/** A kernel on a table of random rows of norm about `norm`, accumulators at `accumulator`. */
export function kernelOnRandomRows(
  name: KernelChoice,
  settings: ModelSettings,
  options: {
    rows: number;
    seed?: number;
    norm?: number;
    accumulator?: number;
    maxEdges?: number;
    maxCandidates?: number;
  },
): { kernel: Kernel; table: Table } {
  const { rows, seed = 1, norm = 0.8, accumulator = 0, maxEdges = 10, maxCandidates = 13 } = options;
  const table = new Table({
    dim: settings.dim,
    maxRows: rows + 2000,
    workspaceBytes: workspaceBytes(settings, maxEdges, maxCandidates),
  });
  table.addRows(rows);
  const random = seeded(seed);
  for (let row = 0; row < rows; row++) {
    const vector = table.vector(row);
    for (let k = 0; k < settings.dim; k++) {
      vector[k] = ((random() * 2 - 1) * norm * Math.sqrt(3)) / Math.sqrt(settings.dim);
    }
    table.floats[table.at(row) + table.accumulator] = accumulator;
  }
  return { kernel: createKernel(name, table, settings, { maxEdges, maxCandidates }, [TFJS_FOLDER]), table };
}

export interface ChunkContent {
  /** [lhs, relation, rhs] of each edge. */
  readonly edges: readonly (readonly [number, number, number])[];
  readonly lhsCandidates?: readonly number[];
  readonly rhsCandidates?: readonly number[];
  /** [edge, candidate] pairs that are masked. */
  readonly lhsMasked?: readonly (readonly [number, number])[];
  readonly rhsMasked?: readonly (readonly [number, number])[];
  /** The weight of each edge; default 1. */
  readonly edgeWeights?: readonly number[];
  /** The correction of each candidate; default 0. */
  readonly lhsCorrections?: readonly number[];
  readonly rhsCorrections?: readonly number[];
}

/** Numbers by two or three: `4 0 5, 4 0 6`. */
const numbers = (text: string) => text.split(', ').map((each) => each.split(' ').map(Number));
export const pairs = (text: string) => numbers(text).map(([a = 0, b = 0]) => [a, b] as const);
export const triples = (text: string) =>
  numbers(text).map(([lhs = 0, relation = 0, rhs = 0]) => [lhs, relation, rhs] as const);

export function fill(chunk: Chunk, content: ChunkContent): void {
  const { edges } = content;
  chunk.edges = edges.length;
  edges.forEach(([lhs, relation, rhs], i) => {
    chunk.lhs[i] = lhs;
    chunk.relation[i] = relation;
    chunk.rhs[i] = rhs;
    chunk.edgeWeights[i] = content.edgeWeights?.[i] ?? 1;
  });
  for (const side of ['lhs', 'rhs'] as const) {
    const { candidates, mask, corrections } = chunk.sides[side];
    const rows = content[`${side}Candidates`] ?? [];
    chunk.sides[side].count = rows.length;
    candidates.set(rows);
    corrections.fill(0);
    corrections.set(content[`${side}Corrections`] ?? []);
    mask.fill(0);
    for (const [i, j] of content[`${side}Masked`] ?? []) mask[i * chunk.maxCandidates + j] = 1;
  }
}

/** Random content: few rows, so that rows recur in every role; masks from empty to full. */
export function randomContent(
  random: () => number,
  size: { relations: number; rows: number; edges: number; lhsCount: number; rhsCount: number },
): ChunkContent {
  const entity = () => 2 * size.relations + Math.floor(random() * (size.rows - 2 * size.relations));
  const share = [0, 0.2, 0.7, 1][Math.floor(random() * 4)]!;
  const masked = (count: number) =>
    Array.from({ length: size.edges * count }, (_, n) => [Math.floor(n / count), n % count] as const).filter(
      () => random() < share,
    );
  return {
    edges: Array.from(
      { length: size.edges },
      () => [entity(), Math.floor(random() * size.relations), entity()] as const,
    ),
    lhsCandidates: Array.from({ length: size.lhsCount }, entity),
    rhsCandidates: Array.from({ length: size.rhsCount }, entity),
    lhsMasked: masked(size.lhsCount),
    rhsMasked: masked(size.rhsCount),
    edgeWeights: Array.from({ length: size.edges }, () => [0, 0.5, 1, 3][Math.floor(random() * 4)]!),
    lhsCorrections: Array.from({ length: size.lhsCount }, () => 4 * random() - 2),
    rhsCorrections: Array.from({ length: size.rhsCount }, () => 4 * random() - 2),
  };
}

/** Copies of all rows' vectors, accumulators and drifts. */
export function snapshot(table: Table): {
  vectors: Float64Array[];
  accumulators: number[];
  drifts: number[];
} {
  const rows = Array.from({ length: table.rows }, (_, row) => row);
  return {
    vectors: rows.map((row) => Float64Array.from(table.vector(row))),
    accumulators: rows.map((row) => table.floats[table.at(row) + table.accumulator]!),
    drifts: rows.map((row) => table.floats[table.at(row) + table.drift]!),
  };
}

/** Copies of the gradients of the foreign rows in the last step, by row, in the kernel's order. */
export function foreignGradientsOf(kernel: Kernel): Map<number, Float32Array> {
  const gradients = new Map<number, Float32Array>();
  kernel.foreignGradients((row, gradient) => {
    if (gradients.has(row)) throw new Error(`row ${row} was given twice`);
    gradients.set(row, gradient.slice());
  });
  return gradients;
}

/** The bytes of all rows, spare floats and padding included. */
export function rowBytes(table: Table): Buffer {
  return Buffer.from(
    new Uint8Array(table.memory.buffer).slice(table.base, table.base + table.rows * table.stride * 4),
  );
}

/** Rows whose bytes differ, ascending. */
export function changedRows(table: Table, before: Buffer, after: Buffer): number[] {
  const length = table.stride * 4;
  return Array.from({ length: table.rows }, (_, row) => row).filter(
    (row) => before.compare(after, row * length, (row + 1) * length, row * length, (row + 1) * length) !== 0,
  );
}
