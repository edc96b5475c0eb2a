import {
  BLOCK_ROWS,
  type CheckpointBlock,
  type Checkpoints,
  checkpointRows,
  type NewCheckpoint,
  NO_TYPE,
} from './checkpoint.ts';

/**
 * Writes a checkpoint from rows that come one after the other. Memory: the block that is filled and the one that is written. `add`
 * waits while both are full. No checkpoint is left where it is disposed of before `end`.
 */
export class CheckpointWriter {
  /** Rows so far. */
  rows = 0;
  readonly #width: number;
  readonly #blocks: WritableStreamDefaultWriter<CheckpointBlock>;
  readonly #written: Promise<void>;
  #block: CheckpointBlock | undefined;

  /** width: numbers of a row. */
  constructor(checkpoints: Checkpoints, head: NewCheckpoint, width: number) {
    const { writable, readable } = new TransformStream<CheckpointBlock, CheckpointBlock>();
    this.#width = width;
    this.#blocks = writable.getWriter();
    this.#written = checkpoints.write(head, readable);
    // Without it, a block would wait for ever for a reader that never came.
    this.#written.catch((error) => this.#blocks.abort(error));
  }

  /** The next row. floats: [width], zeros unless given. type: index of the entity's type. @throws the error of writing. */
  async add(floats?: ArrayLike<number>, type = NO_TYPE, trained = false): Promise<void> {
    const at = this.rows++ % BLOCK_ROWS;
    this.#block ??= checkpointRows(BLOCK_ROWS, this.#width);
    if (floats !== undefined) this.#block.floats.set(floats, at * this.#width);
    this.#block.types[at] = type;
    this.#block.trained[at] = trained ? 1 : 0;
    if (at === BLOCK_ROWS - 1) await this.#handOver(this.#block);
  }

  /** Resolves once the checkpoint is there. @throws the error of writing. */
  async end(): Promise<void> {
    const rest = this.rows % BLOCK_ROWS;
    if (this.#block !== undefined) {
      const { types, trained, floats } = this.#block;
      await this.#handOver({
        types: types.subarray(0, rest),
        trained: trained.subarray(0, rest),
        floats: floats.subarray(0, rest * this.#width),
      });
    }
    await this.#taken(this.#blocks.close());
    await this.#written;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#blocks.abort(new Error('not all rows of the checkpoint were added'));
    await this.#written.catch(() => undefined);
  }

  async #handOver(block: CheckpointBlock): Promise<void> {
    this.#block = undefined;
    await this.#taken(this.#blocks.write(block));
  }

  /** A writing that ended early takes nothing more; what it failed of is thrown then. */
  async #taken(taking: Promise<void>): Promise<void> {
    try {
      await taking;
    } catch (error) {
      await this.#written;
      throw error;
    }
  }
}
