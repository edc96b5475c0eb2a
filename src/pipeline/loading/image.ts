import { FatalError, reasonOf } from '../../errors/errors.ts';
import { type EntityIndex, type PackedEntities, packEntities, unpacked } from '../../graph/entity-index.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import { decodeHead, type Head } from '../../graph/head.ts';
import type { Layout } from '../../graph/layout.ts';
import type { Log } from '../../log.ts';
import { NO_TYPE } from '../../sampling/type-rows.ts';
import type { HeldRows, Trainer } from '../training/trainer.ts';
import { indexFor, OneAhead, withholdOrphans } from './from-store.ts';

/** 2 MB of rows at 128 numbers each, and their edges. */
const BLOCK_ROWS = 4096;

/** Consecutive rows, the entities among them, and the edges out of them. */
export interface ImageBlock extends HeldRows {
  readonly entities: PackedEntities;
}

/**
 * The start image: what an updater had in memory when it ended in good order, so that the next start need not read
 * every entry of the store. It lies beside the store and holds nothing that the store does not.
 */
export interface Image {
  /**
   * The blocks of the image of this very head, in the order of rows; undefined where there is none.
   * @throws FatalError where the image turns out to be damaged while it is read.
   */
  read(head: Uint8Array): Promise<AsyncIterable<ImageBlock> | undefined>;
  /** Replaces the image, completely or not at all. */
  write(head: Uint8Array, blocks: AsyncIterable<ImageBlock>): Promise<void>;
  /** Removes the image: the store has another head. */
  remove(): Promise<void>;
}

/**
 * Everything that trainer and index hold. Neither may change until the last block is taken.
 * @throws FatalError where the trainer holds fewer edges than are live: a shard has let go of some, and the store holds all.
 */
async function* imageBlocks(trainer: Trainer, index: EntityIndex, head: Head): AsyncIterable<ImageBlock> {
  let edges = 0;
  for (let first = 0; first < index.nextRow; first += BLOCK_ROWS) {
    const count = Math.min(BLOCK_ROWS, index.nextRow - first);
    const held = await trainer.readRows({ first, count });
    edges += held.edges.lhs.length;
    const rows = Int32Array.from({ length: count }, (_, i) => first + i);
    yield { ...held, entities: packEntities(index, rows) };
  }
  const live = Object.values(head.edges).reduce((sum, each) => sum + each, 0);
  if (edges === live) return;
  throw new FatalError('fault', `the trainer holds ${edges} of ${live} live edges`);
}

/** Loads index and trainer from an image, as `loadEntities`, `loadRows` and `loadEdges` do from a store. */
export async function loadImage(
  blocks: AsyncIterable<ImageBlock>,
  layout: Layout,
  head: Head,
  trainer: Trainer,
): Promise<EntityIndex> {
  const index = indexFor(layout, head);
  const loading = new OneAhead();
  let first = 0;
  for await (const { floats, edges, entities } of blocks) {
    const count = floats.length / (layout.dim + 2);
    const types = new Uint8Array(count).fill(NO_TYPE);
    const trained = new Uint8Array(count);
    for (const [name, state] of unpacked(entities)) {
      index.restore(name, 0, name.length, state);
      types[state.row - first] = name[0]!;
      trained[state.row - first] = state.updates > 0 ? 1 : 0;
    }
    withholdOrphans(index, 2 * layout.relations.length, { first, types, floats });
    await loading.after(() => trainer.loadRows({ types, trained, floats, edges }));
    first += count;
  }
  await loading.done();
  return index;
}

interface ImageKeeperOptions {
  readonly graph: string;
  readonly image?: Image | undefined;
  readonly store: GraphStore;
  readonly trainer: Trainer;
  readonly index: EntityIndex;
  readonly log: Log;
  clock(): number;
}

/** Removes the image that the updater started from, and leaves the next one. */
export class ImageKeeper {
  readonly #options: ImageKeeperOptions;
  #removed = false;
  #due = false;

  constructor(options: ImageKeeperOptions) {
    this.#options = options;
  }

  /** Removes the image once: the store was written, and its head is another. */
  async outdated(): Promise<void> {
    if (this.#removed) return;
    this.#removed = true;
    await this.#options.image?.remove();
  }

  /** Notes that everything is committed and nothing changes any more. */
  due(): void {
    this.#due = this.#options.image !== undefined;
  }

  /**
   * Leaves an image where one is due, after the group is left, so that the next leader does not wait for it. A
   * failure costs the next start time, and nothing else.
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
