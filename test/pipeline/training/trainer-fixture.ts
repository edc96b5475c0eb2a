import { startSteppers } from '../../../src/adapters/trainer/hogwild/stepper.ts';
import type { CheckpointBlock } from '../../../src/graph/checkpoint.ts';
import type { EdgeRows } from '../../../src/graph/edge.ts';
import { createKernel } from '../../../src/kernels/select.ts';
import { workspaceBytes } from '../../../src/kernels/workspace.ts';
import type { Kernel } from '../../../src/model/kernel.ts';
import type { Table } from '../../../src/model/table.ts';
import {
  ADDED,
  decodeBatch,
  eachChange,
  encodeBatch,
  REMOVED,
  TRAINED,
} from '../../../src/pipeline/training/batch-codec.ts';
import type {
  DueOptions,
  TrainBatch,
  Trainer,
  TrainerSettings,
  TrainReport,
} from '../../../src/pipeline/training/trainer.ts';
import type { KernelMaker } from '../../../src/pipeline/training/trainer-core.ts';
import { Random } from '../../../src/sampling/random.ts';

export const kernels: KernelMaker = { createKernel, startSteppers, workspaceBytes };

/** follows: user-user, likes and replies: user-tweet. Relation rows are 0 … 5, entities from 6 on. */
export const settings: TrainerSettings = {
  model: {
    dim: 6,
    scorer: 'transe-l2',
    loss: 'softmax',
    beta: 4,
    margin: 0,
    negativeWeight: 1,
    learningRate: 0.1,
    unitBall: true,
  },
  kernel: 'reference',
  threads: 1,
  maxRows: 600,
  maxKnownEdges: 10_000,
  entityTypes: ['user', 'tweet'],
  relations: [
    { name: 'follows', lhsType: 0, rhsType: 0 },
    { name: 'likes', lhsType: 0, rhsType: 1 },
    { name: 'replies', lhsType: 0, rhsType: 1 },
  ],
  seed: 42,
  initScale: 0.15,
  updatesPerEdge: 1,
  chunkEdges: 8,
  uniformNegatives: 5,
  inBatchNegatives: true,
  evaluatedEdges: 6,
  evaluatedCandidates: 10,
};

/** Real kernels that tell what they were made for. */
export function spied(): { maker: KernelMaker; table: () => Table; kernel: () => Kernel } {
  let seen: { table: Table; kernel: Kernel } | undefined;
  return {
    maker: {
      ...kernels,
      createKernel: (name, table, model, limits) => {
        const kernel = createKernel(name, table, model, limits);
        seen = { table, kernel };
        return kernel;
      },
    },
    table: () => seen!.table,
    kernel: () => seen!.kernel,
  };
}

/** [dim + 2] what a checkpoint has of each row, read from the table. */
export function rowsOf(table: Table): number[][] {
  return Array.from({ length: table.rows }, (_, row) => {
    const at = table.at(row);
    return [...table.vector(row), table.floats[at + table.accumulator]!, table.floats[at + table.drift]!];
  });
}

/** Which rows are due in these tests. */
export const DUE: DueOptions = {
  now: 1_700_000_000_000,
  everything: false,
  holdMs: 0,
  epsilon: 0.2,
  maxAgeMs: 1e9,
  named: new Int32Array(0),
};

export const FIRST_ENTITY = 2 * settings.relations.length;

export type Edge = readonly [lhs: number, relation: number, rhs: number];

/** Edges by name: `6 follows 8, 7 likes 9`. */
export function edgesOf(text: string): Edge[] {
  return text.split(', ').map((edge) => {
    const [lhs = '', name = '', rhs = ''] = edge.split(' ');
    return [Number(lhs), settings.relations.findIndex((relation) => relation.name === name), Number(rhs)];
  });
}

export function triples(edges: readonly Edge[]): EdgeRows {
  return {
    lhs: Int32Array.from(edges, ([lhs]) => lhs),
    relation: Int32Array.from(edges, ([, relation]) => relation),
    rhs: Int32Array.from(edges, ([, , rhs]) => rhs),
  };
}

/** A batch, edges removed first; `added` is `edges` unless said otherwise. */
export function batchOf(parts: {
  newTypes?: number[];
  /** Rows and their types. */
  reused?: readonly (readonly [row: number, type: number])[];
  dropped?: number[];
  reset?: number[];
  edges?: Edge[];
  added?: Edge[];
  removed?: Edge[];
}): TrainBatch {
  const { newTypes = [], reused = [], dropped = [], reset = [], edges = [], removed = [] } = parts;
  const bits = (edge: Edge, of: number) => [edge[0], edge[2], edge[1] * 256 + of];
  const added = new Map((parts.added ?? edges).map((edge) => [String(edge), edge]));
  const changes = [
    ...removed.map((edge) => bits(edge, REMOVED)),
    ...edges.map((edge) => bits(edge, TRAINED + (added.delete(String(edge)) ? ADDED : 0))),
    ...[...added.values()].map((edge) => bits(edge, ADDED)),
  ].flat();
  const [reusedRows, reusedTypes] = [reused.map(([row]) => row), reused.map(([, type]) => type)];
  return { numbers: encodeBatch({ newTypes, reusedRows, reusedTypes, dropped, reset, changes }) };
}

/** What a report says of its own batch: its losses may be of steps of the batch before. */
export function ofBatch({ loss: _, edgesByRelation: __, ...rest }: TrainReport) {
  return rest;
}

/** What a batch says. changes: edges that became live, and edges that are live no more behind a minus. */
export function saidBy(numbers: Int32Array) {
  const { edges, changes, newTypes, reusedRows, reusedTypes, dropped, reset } = decodeBatch(numbers);
  const changed: string[] = [];
  eachChange(changes, (lhs, relation, rhs, live) => {
    changed.push(`${live ? '' : '-'}${lhs} ${relation} ${rhs}`);
  });
  const trained = Array.from(edges.lhs, (lhs, i) => `${lhs} ${edges.relation[i]} ${edges.rhs[i]}`);
  return {
    newTypes: [...newTypes],
    reused: [...reusedRows].map((row, i) => [row, reusedTypes[i]]),
    ...{ dropped: [...dropped], reset: [...reset], trained, changed },
  };
}

/** What a snapshot that begins now gives. */
export async function blocksOf(trainer: Pick<Trainer, 'snapshot' | 'slice'>): Promise<CheckpointBlock[]> {
  await trainer.snapshot();
  const blocks: CheckpointBlock[] = [];
  for (let block = await trainer.slice(); block !== undefined; block = await trainer.slice(block.floats))
    blocks.push(structuredClone(block));
  return blocks;
}

/** A made-up stream: batches with new, repeated and removed edges, and with dropped, reset and reused rows. */
export class World {
  /** By row, relations included: the type, 255 where there is none, and whether an edge was trained on it. */
  readonly types: number[] = new Array(FIRST_ENTITY).fill(255);
  readonly trained: number[] = new Array(FIRST_ENTITY).fill(0);
  readonly live = new Map<string, Edge>();
  readonly #random: Random;
  /** Dropped in a batch before the last commit, and no entity's. */
  #free: number[] = [];
  readonly #dropped: number[] = [];

  constructor(seed: number) {
    this.#random = Random.seeded(seed);
  }

  /** A batch of 40 edges or so. calm: no entity goes or is reset. */
  next(calm = false): TrainBatch {
    const random = this.#random;
    const first = this.types.length;
    const newTypes = Array.from({ length: 12 }, (_, i) => (i < 6 ? 0 : 1));
    const old = calm ? [] : this.#rowsOf(0).filter((row) => row < first);
    const reused = this.#free.splice(0, 2).map((row, i) => [row, i] as const);
    const dropped = old.filter(() => random.below(20) === 0);
    const reset = old.filter((row) => !dropped.includes(row) && random.below(20) === 0);
    const removed: Edge[] = [];
    for (const [name, edge] of this.live) {
      const gone = [...dropped, ...reset].some((row) => edge[0] === row || edge[2] === row);
      if (!gone && random.below(15) > 0) continue;
      removed.push(edge);
      this.live.delete(name);
    }
    for (const row of dropped) {
      this.types[row] = 255;
      this.trained[row] = 0;
    }
    for (const row of reset) this.trained[row] = 0;
    for (const [row, type] of reused) this.types[row] = type;
    this.#dropped.push(...dropped);
    this.types.push(...newTypes);
    this.trained.push(...newTypes.map(() => 0));
    const edges: Edge[] = [];
    const added: Edge[] = [];
    const taken = new Set(removed.map(String));
    for (let i = 0; i < 40; i++) {
      const relation = random.below(3);
      const rhsType = relation === 0 ? 0 : 1;
      const edge: Edge = [this.#pick(0), relation, this.#pick(rhsType)];
      const name = String(edge);
      edges.push(edge);
      for (const row of [edge[0], edge[2]]) this.trained[row] = 1;
      if (this.live.has(name) || taken.has(name)) continue;
      this.live.set(name, edge);
      added.push(edge);
    }
    return batchOf({ newTypes, reused, dropped, reset, edges, added, removed });
  }

  /** Rows dropped so far may be used again. */
  commit(): void {
    this.#free = [...this.#free, ...this.#dropped.splice(0)].sort((a, b) => a - b);
  }

  #rowsOf(type: number): number[] {
    return [...this.types.keys()].filter((row) => this.types[row] === type);
  }

  /** Older rows more often than younger ones, so that some edges come again. */
  #pick(type: number): number {
    const rows = this.#rowsOf(type);
    return rows[Math.floor(rows.length * this.#random.uniform() ** 2)]!;
  }
}
