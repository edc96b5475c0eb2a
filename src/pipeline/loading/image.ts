import { FatalError, reasonOf } from '../../errors/errors.ts';
import { type EntityIndex, type PackedEntities, packEntities } from '../../graph/entity-index.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import { decodeHead, type Head } from '../../graph/head.ts';
import type { Log } from '../../log.ts';
import type { HeldRows, Trainer } from '../training/trainer.ts';

/** Two megabytes of 128 numbers a row, and the edges. */
const BLOCK_ROWS = 4096;

/** Some rows that follow one another, which of them are entities, and the edges out of them. */
export interface ImageBlock extends HeldRows {
  readonly entities: PackedEntities;
}

/**
 * Where an updater that ends in good order leaves what it has in memory, so that the next need not put it together
 * from the store's entries. It stands beside the store and says nothing that the store does not.
 */
export interface Image {
  /**
   * What was left with this very head, in the order of rows; undefined where that is nothing.
   * @throws FatalError where it turns out to be damaged as it is read.
   */
  read(head: Uint8Array): Promise<AsyncIterable<ImageBlock> | undefined>;
  /** In place of the one before, whole or not at all. */
  write(head: Uint8Array, blocks: AsyncIterable<ImageBlock>): Promise<void>;
  /** It is of a head that the store no longer has. */
  remove(): Promise<void>;
}

/**
 * All that trainer and index hold. Neither may change until the last block is taken.
 * @throws FatalError where the trainer remembers fewer edges than are live: the store has them all, and the next start may
 * be told to remember more.
 */
async function* imageBlocks(trainer: Trainer, index: EntityIndex, head: Head): AsyncIterable<ImageBlock> {
  let edges = 0;
  for (let first = 0; first < index.nextRow; first += BLOCK_ROWS) {
    const count = Math.min(BLOCK_ROWS, index.nextRow - first);
    const held = await trainer.readRows(first, count);
    edges += held.edges.lhs.length;
    yield { ...held, entities: packEntities(index, first, count) };
  }
  const live = Object.values(head.edges).reduce((sum, each) => sum + each, 0);
  if (edges === live) return;
  const message = `the trainer remembers ${edges} of ${live} live edges, see limits.maxKnownEdges`;
  throw new FatalError('image-edges', message);
}

export interface ImageKeeperOptions {
  readonly graph: string;
  readonly image: Image | undefined;
  readonly store: GraphStore;
  readonly trainer: Trainer;
  readonly index: EntityIndex;
  readonly log: Log;
  clock(): number;
}

/** The image that an updater was loaded from, or might have been, and the one it leaves. */
export class ImageKeeper {
  readonly #options: ImageKeeperOptions;
  #removed = false;
  #due = false;

  constructor(options: ImageKeeperOptions) {
    this.#options = options;
  }

  /** The store was written: there is one less to be kept, for its head is another. */
  async outdated(): Promise<void> {
    if (this.#removed) return;
    this.#removed = true;
    await this.#options.image?.remove();
  }

  /** All is committed, and nothing will change any more. */
  due(): void {
    this.#due = this.#options.image !== undefined;
  }

  /**
   * Leaves one where it is due, once the group is left: whoever leads next does not wait for it. One that can't be left
   * costs the next start time, and nothing else.
   */
  async leave(): Promise<void> {
    const { graph, image, store, trainer, index, log, clock } = this.#options;
    if (image === undefined || !this.#due) return;
    const began = clock();
    try {
      const head = await store.headBytes();
      if (head === undefined) return;
      await image.write(head, imageBlocks(trainer, index, decodeHead(head)));
      log.info({ graph, entities: index.size, ms: clock() - began }, 'left an image to start from');
    } catch (error) {
      log.warn(
        { graph, reason: reasonOf(error) },
        'could not leave an image to start from: the next start takes longer',
      );
    }
  }
}
