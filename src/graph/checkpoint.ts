import type { EdgeRows } from './edge.ts';

/** What a checkpoint says of itself. */
export interface CheckpointHead {
  /** The commit that its rows and edges are as of. */
  readonly commit: number;
  /** Kernel steps by then, and the state of the trainer's random sources. */
  readonly step: number;
  readonly random: readonly number[];
  /** When the rows were what they are, epoch ms. */
  readonly at: number;
}

/** How a checkpoint differs from a head, where nothing was trained in between: it is another store's. undefined: it does not. */
export function differenceFrom(head: NewCheckpoint, checkpoint = head): string | undefined {
  const [own, other] = [head, checkpoint].map(({ step, random }) => `step ${step}, random ${random.join()}`);
  return own === other ? undefined : `another store's, of ${other}; the head is of ${own}`;
}

/** What a checkpoint is written with. at: now, unless said. */
export type NewCheckpoint = Omit<CheckpointHead, 'at'> & { readonly at?: number };

export interface CheckpointRows {
  /** [n] type index, or {@link NO_TYPE}. */
  readonly types: Uint8Array;
  /** [n] 1: trained at least once. */
  readonly trained: Uint8Array;
  /** [n, dim + 2] vector, accumulator, drift: the path since the vector was published. */
  readonly floats: Float32Array;
}

/** Room for rows of `width` numbers. floats: memory to be used again, where it is large enough. */
export function checkpointRows(rows: number, width: number, floats?: Float32Array): CheckpointRows {
  const numbers = rows * width;
  const room = floats !== undefined && floats.length >= numbers ? floats : new Float32Array(numbers);
  return { floats: room.subarray(0, numbers), types: new Uint8Array(rows), trained: new Uint8Array(rows) };
}

/** Consecutive rows of a table, with the live edges out of them. Structured-cloneable. */
export interface CheckpointBlock extends CheckpointRows {
  /** Absent where they are not known: they are read from the store then. */
  readonly edges?: EdgeRows;
}

/** The file of a checkpoint, by which any thread opens it. width: numbers of a row. */
export interface CheckpointFile {
  readonly path: string;
  readonly commit: number;
  readonly width: number;
}

/** A trainer's table at the end of a commit, to go on from and to be read beside the training. */
export interface Checkpoint extends AsyncDisposable {
  readonly head: CheckpointHead;
  /** Absent where it is in memory. */
  readonly file?: CheckpointFile;
  /** Number of rows, relation rows included. */
  readonly rows: number;
  /** All rows in order, some thousands at a time, each block checked. A block is good until the next is asked for. @throws FatalError `store-damaged`. */
  blocks(): AsyncIterable<CheckpointBlock>;
  /** [dim + 2] floats of each row; undefined for a row beyond the last. */
  read(rows: readonly number[]): Promise<(Float32Array | undefined)[]>;
}

/** A store's checkpoints. The store's head names the one that counts; there is another only while it is being replaced. */
export interface Checkpoints {
  /** @throws FatalError `store-damaged` where it is not there, or not whole. */
  open(commit: number): Promise<Checkpoint>;
  /** Writes a checkpoint that survives a power loss, completely or not at all. Blocks of one size but for the last. */
  write(head: NewCheckpoint, blocks: AsyncIterable<CheckpointBlock>): Promise<void>;
  /** Removes those of earlier commits, whole or not. A later one may be being written. */
  dropBefore(commit: number): Promise<void>;
  /** Removes those of later commits, whole or not. None may be being written. */
  dropAfter(commit: number): Promise<void>;
}

/** The type of a relation's row, a row without an entity, and a copy of another shard's row. */
export const NO_TYPE = 255;

/** Rows of a block, where its maker decides: 8 MB at 128 numbers each. */
export const BLOCK_ROWS = 16_384;

/** About what a checkpoint takes on a disk, without its edges. */
export function checkpointBytes(rows: number, dim: number): number {
  return rows * (4 * (dim + 2) + 2);
}
