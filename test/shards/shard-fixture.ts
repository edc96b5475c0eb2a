import { expect } from 'vitest';
import type { CheckpointBlock } from '../../src/graph/checkpoint.ts';
import type { ChunkSide, Kernel } from '../../src/model/kernel.ts';
import type { Table } from '../../src/model/table.ts';
import type { RowVectors } from '../../src/pipeline/training/shard-batch.ts';
import type { TrainBatch, TrainerSettings } from '../../src/pipeline/training/trainer.ts';
import { type KernelMaker, TrainerCore } from '../../src/pipeline/training/trainer-core.ts';
import { foreignOf, ofShard } from '../../src/shards/foreign-rows.ts';
import { batchOf, kernels, settings } from '../pipeline/training/trainer-fixture.ts';

export const { dim: DIM } = settings.model;

/** A trainer with its table and its kernel; every step is noted. */
export interface Watched {
  readonly core: TrainerCore;
  readonly table: Table;
  readonly kernel: Kernel;
  /** Edges and candidates of each step. */
  readonly steps: { edges: string[]; lhs: number[]; rhs: number[] }[];
}

/** Settings of a shard that draws no negative and ranks no edge, so that a step can be repeated by hand. */
export const BARE = { uniformNegatives: 0, evaluatedEdges: 0 };

/** load: fills the trainer before it starts from a stored state. */
export function watched(
  overrides: Partial<TrainerSettings>,
  load?: (core: TrainerCore) => { step: number; random: Uint32Array },
): Watched {
  const steps: Watched['steps'] = [];
  let made: { table: Table; kernel: Kernel } | undefined;
  const maker: KernelMaker = {
    ...kernels,
    createKernel: (name, table, model, limits) => {
      const kernel = kernels.createKernel(name, table, model, limits);
      const { chunk } = kernel;
      const step = kernel.step.bind(kernel);
      kernel.step = () => {
        const edges = Array.from(
          chunk.lhs.subarray(0, chunk.edges),
          (lhs, i) => `${lhs} ${chunk.relation[i]} ${chunk.rhs[i]}`,
        );
        const rowsOf = ({ candidates, count }: ChunkSide) => [...candidates.subarray(0, count)];
        steps.push({ edges, lhs: rowsOf(chunk.sides.lhs), rhs: rowsOf(chunk.sides.rhs) });
        return step();
      };
      made = { table, kernel };
      return kernel;
    },
  };
  const { shard, ...given } = { ...settings, ...overrides };
  const core = new TrainerCore(shard ? ofShard(given, shard) : given, maker, foreignOf);
  core.start(load?.(core));
  return { core, ...made!, steps };
}

/** Pairs of numbers: `8 1, 10 2`. */
export function pairs(text: string): [number, number][] {
  return text.split(', ').map((pair) => {
    const [first, second] = pair.split(' ');
    return [Number(first), Number(second)];
  });
}

/** Rows with a vector each. */
export type Vectors = readonly (readonly [row: number, vector: ArrayLike<number>])[];

export function rowVectors(list: Vectors = []): RowVectors {
  return {
    rows: Int32Array.from(list, ([row]) => row),
    halves: Float16Array.from(list.flatMap(([, vector]) => Array.from(vector))),
  };
}

/** Each vector with the square root of its accumulator behind it: 1, unless it has one. */
function withAccumulators(list: Vectors = []): Vectors {
  return list.map(([row, vector]) => [row, vector.length > DIM ? vector : [...Array.from(vector), 1]]);
}

/** A batch of a shard. copies: rows with the shard that owns each. */
export function shardBatch(
  parts: Parameters<typeof batchOf>[0] & {
    copies?: readonly (readonly [row: number, owner: number])[];
    vectors?: Vectors;
    gradients?: Vectors;
    relations?: readonly Float32Array[];
    wantsRelations?: boolean;
    inUse?: readonly (readonly [row: number, shard: number, wanted?: 'wanted'])[];
    turn?: boolean;
  },
): TrainBatch {
  const { copies = [], vectors, gradients, relations = [], wantsRelations = false } = parts;
  const { inUse = [], turn = false } = parts;
  const batch = batchOf(parts);
  return {
    ...batch,
    shard: {
      range: { first: 0, last: 1 },
      copies: {
        rows: Int32Array.from(copies, ([row]) => row),
        owners: Uint8Array.from(copies, ([, owner]) => owner),
      },
      ...{
        vectors: rowVectors(withAccumulators(vectors)),
        gradients: rowVectors(gradients),
        relations,
        wantsRelations,
        inUse: {
          rows: Int32Array.from(inUse, ([row]) => row),
          shards: Uint8Array.from(inUse, ([, shard]) => shard),
          wanted: Uint8Array.from(inUse, ([, , wanted]) => (wanted ? 1 : 0)),
        },
        turn,
      },
    },
  };
}

/** Row and gradient of each, or, with a width of one more, row and vector with the square root of its accumulator. */
export function listed({ rows, halves }: RowVectors, width = DIM): [number, number[]][] {
  return [...rows].map((row, i) => [row, [...halves.subarray(i * width, (i + 1) * width)]]);
}

/** Everything that a trainer holds, as a checkpoint has it. */
export function snapshotOf(core: TrainerCore): CheckpointBlock {
  core.snapshot();
  return takenFrom(core);
}

/** The snapshot that the trainer has begun, which is a single block. */
export function takenFrom(core: TrainerCore): CheckpointBlock {
  const block = core.slice()!;
  expect(core.slice()).toBeUndefined();
  return block;
}

/** A block with its edges by name, sorted. */
export function comparable({ edges, ...rows }: CheckpointBlock) {
  const { lhs, relation, rhs } = edges!;
  return { ...rows, edges: Array.from(lhs, (row, i) => `${row} ${relation[i]} ${rhs[i]}`).sort() };
}

/** A trainer that goes on where another one is. */
export function loadedFrom({ core }: Watched, overrides: Partial<TrainerSettings>): Watched {
  const { step, random } = core.state();
  return watched(overrides, (fresh) => {
    fresh.load(snapshotOf(core));
    return { step, random };
  });
}
