import type { EdgeRows } from '../../../src/graph/edge.ts';
import type {
  Checkpoint,
  CheckpointOptions,
  HeldRows,
  LoadedRows,
  Trainer,
} from '../../../src/pipeline/training/trainer.ts';

/** A trainer that learns nothing, keeps what it is given, and whose checkpoints the test decides. */
export class StandInTrainer implements Trainer {
  readonly loadedRows: LoadedRows[] = [];
  readonly loadedEdges: EdgeRows[] = [];
  started: { step: number; random: number[] } | 'fresh' | undefined;
  /** What the next checkpoints give, in order; then empty ones. */
  readonly checkpoints: Promise<Checkpoint>[] = [];
  /** What each was to publish. */
  readonly asked: CheckpointOptions[] = [];
  stopped = false;

  async loadRows(rows: LoadedRows): Promise<void> {
    this.loadedRows.push(rows);
    if (rows.edges) this.loadedEdges.push(rows.edges);
  }

  async loadEdges(edges: EdgeRows): Promise<void> {
    this.loadedEdges.push(edges);
  }

  async start(state: { step: number; random: Uint32Array } | undefined): Promise<void> {
    this.started = state === undefined ? 'fresh' : { step: state.step, random: [...state.random] };
  }

  async train(): Promise<never> {
    throw new Error('this one does not train');
  }

  async checkpoint(options: CheckpointOptions): Promise<Checkpoint> {
    this.asked.push(options);
    return (await this.checkpoints.shift()) ?? checkpointOf({});
  }

  /** Rows of 2 numbers and two more, each the row's number; every row has an edge to itself. */
  async readRows({ first, count }: { first: number; count: number }): Promise<HeldRows> {
    const rows = Int32Array.from({ length: count }, (_, i) => first + i);
    const floats = Float32Array.from({ length: 4 * count }, (_, i) => first + Math.floor(i / 4));
    return { floats, edges: { lhs: rows, relation: new Int32Array(count), rhs: rows } };
  }

  async stop(): Promise<void> {
    this.stopped = true;
  }
}

/** vectors: rows and their [dim + 2] floats; publish: those of them that are due. */
export function checkpointOf(parts: {
  step?: number;
  vectors?: Record<number, readonly number[]>;
  publish?: readonly number[];
  moved?: Record<number, number>;
  held?: number;
}): Checkpoint {
  const rows = Object.keys(parts.vectors ?? {}).map(Number);
  return {
    step: parts.step ?? 1,
    random: Uint32Array.of(5, 6),
    rows: Int32Array.from(rows),
    held: parts.held ?? 0,
    floats: Float32Array.from(rows.flatMap((row) => parts.vectors?.[row] ?? [])),
    publish: Uint8Array.from(rows, (row) => (parts.publish?.includes(row) ? 1 : 0)),
    moved: Float32Array.from(rows, (row) => parts.moved?.[row] ?? Number.NaN),
  };
}
