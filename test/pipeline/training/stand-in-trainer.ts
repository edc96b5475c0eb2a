import type { Checkpoint, CheckpointBlock } from '../../../src/graph/checkpoint.ts';
import type { EdgeRows } from '../../../src/graph/edge.ts';
import type {
  Due,
  DueOptions,
  GivenDue,
  TrainBatch,
  Trainer,
  TrainerState,
  TrainReport,
} from '../../../src/pipeline/training/trainer.ts';

/** A trainer that learns nothing, keeps what it is given, and whose answers the test decides. */
export class StandInTrainer implements Trainer {
  readonly loaded: CheckpointBlock[] = [];
  readonly loadedEdges: EdgeRows[] = [];
  started: { step: number; random: number[] } | 'fresh' | undefined;
  readonly trained: TrainBatch[] = [];
  /** What the next calls of `due` give, in order; then that nothing is. */
  readonly dues: Promise<Due>[] = [];
  /** How each was asked for. */
  readonly asked: DueOptions[] = [];
  /** What `gave` was given. */
  readonly given: [isAcknowledged: boolean, ...rows: number[]][] = [];
  /** What `republish` was given. */
  readonly republished: Parameters<Trainer['republish']>[0][] = [];
  /** Rows of which `vectors` were asked for. */
  readonly looked: number[] = [];
  /** What the next snapshot is of. */
  blocks: CheckpointBlock[] = [];
  /** What is still to be taken of it. */
  taking: CheckpointBlock[] = [];
  /** What was given back of slices that were written. */
  readonly spent: Float32Array[] = [];
  snapshots = 0;
  stopped = false;

  async load(checkpoint: Checkpoint): Promise<boolean> {
    const blocks = await Array.fromAsync(checkpoint.blocks());
    this.loaded.push(...blocks);
    this.loadedEdges.push(...blocks.flatMap(({ edges }) => edges ?? []));
    return blocks.every(({ edges }) => edges !== undefined);
  }

  async loadEdges(edges: EdgeRows): Promise<void> {
    this.loadedEdges.push(edges);
  }

  async start(state: { step: number; random: Uint32Array } | undefined): Promise<void> {
    this.started = state === undefined ? 'fresh' : { step: state.step, random: [...state.random] };
  }

  async train(batch: TrainBatch): Promise<TrainReport> {
    this.trained.push(batch);
    return reportOf({ edges: 1 });
  }

  async state(): Promise<TrainerState> {
    const { step, random, relations } = dueOf({});
    return { step, random, relations, absent: new Int32Array(0), limits: NO_LIMITS };
  }

  async gave(due: GivenDue): Promise<void> {
    this.given.push([due.isAcknowledged, ...due.rows]);
  }

  async due(options: DueOptions): Promise<Due> {
    this.asked.push(options);
    return (await this.dues.shift()) ?? dueOf({});
  }

  async republish(again: Parameters<Trainer['republish']>[0]): Promise<void> {
    this.republished.push(again);
  }

  /** Of 2 numbers, each the row's number. */
  async vectors(rows: Int32Array): Promise<Float32Array> {
    this.looked.push(...rows);
    return Float32Array.from({ length: 2 * rows.length }, (_, i) => rows[Math.floor(i / 2)]!);
  }

  async snapshot(): Promise<void> {
    this.snapshots++;
    this.taking = [...this.blocks];
  }

  async slice(spent?: Float32Array): Promise<CheckpointBlock | undefined> {
    if (spent !== undefined) this.spent.push(spent);
    return this.taking.shift();
  }

  async stop(): Promise<void> {
    this.stopped = true;
  }
}

/** Of a trainer that takes all it is given. */
export const NO_LIMITS = {
  maxRows: Number.POSITIVE_INFINITY,
  maxEdges: Number.POSITIVE_INFINITY,
  liveEdges: 0,
};

export function reportOf(parts: Partial<TrainReport>): TrainReport {
  const none = new Float64Array(0);
  return {
    ...{
      step: 1,
      edges: 0,
      loss: none,
      edgesByRelation: none,
      known: [],
      fresh: [],
      started: 0,
      setAside: 0,
    },
    ...parts,
  };
}

/** vectors: rows that are due and their [dim] numbers. */
export function dueOf(parts: {
  step?: number;
  random?: readonly number[];
  vectors?: Record<number, readonly number[]>;
  moved?: Record<number, number>;
  held?: number;
  relations?: readonly number[];
}): Due {
  const rows = Object.keys(parts.vectors ?? {}).map(Number);
  return {
    step: parts.step ?? 1,
    random: Uint32Array.from(parts.random ?? [5, 6]),
    relations: Float32Array.from(parts.relations ?? []),
    rows: Int32Array.from(rows),
    vectors: Float32Array.from(rows.flatMap((row) => parts.vectors?.[row] ?? [])),
    moved: Float32Array.from(rows, (row) => parts.moved?.[row] ?? Number.NaN),
    held: parts.held ?? 0,
  };
}
