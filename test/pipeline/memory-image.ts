import { deserialize, serialize } from 'node:v8';
import type { Image, ImageBlock } from '../../src/pipeline/loading/image.ts';

/** An image in memory. Outlives the updaters that leave and read it. */
export class MemoryImage implements Image {
  held: { readonly head: Buffer; readonly blocks: readonly Buffer[] } | undefined;
  /** Heads it was read for, and whether it was of them. */
  readonly asked: boolean[] = [];

  async read(head: Uint8Array): Promise<AsyncIterable<ImageBlock> | undefined> {
    const { held } = this;
    const mine = held?.head.equals(head) ?? false;
    this.asked.push(mine);
    return mine && held ? blocksOf(held.blocks) : undefined;
  }

  async write(head: Uint8Array, blocks: AsyncIterable<ImageBlock>): Promise<void> {
    const taken = await Array.fromAsync(blocks, (block) => serialize(block));
    this.held = { head: Buffer.from(head), blocks: taken };
  }

  async remove(): Promise<void> {
    this.held = undefined;
  }
}

async function* blocksOf(blocks: readonly Buffer[]): AsyncIterable<ImageBlock> {
  for (const block of blocks) {
    const read: ImageBlock = deserialize(block);
    yield read;
  }
}
