import { FatalError } from '../../src/errors/errors.ts';
import type { Checkpoint, CheckpointBlock, CheckpointHead, Checkpoints } from '../../src/graph/checkpoint.ts';

/** Checkpoints in memory, for tests. They are the oracle of the conformance suite. */
export class MemoryCheckpoints implements Checkpoints {
  readonly written = new Map<number, { readonly head: CheckpointHead; readonly blocks: CheckpointBlock[] }>();
  async open(commit: number): Promise<Checkpoint> {
    const found = this.written.get(commit);
    if (found === undefined) throw new FatalError('store-damaged', `there is no checkpoint ${commit}`);
    const { head, blocks } = found;
    const all = blocks.flatMap(({ floats, types }) => {
      const width = floats.length / types.length;
      return Array.from(types, (_, i) => floats.subarray(i * width, (i + 1) * width));
    });
    return {
      head,
      rows: all.length,
      async *blocks() {
        yield* structuredClone(blocks);
      },
      read: async (rows) => rows.map((row) => all[row]?.slice()),
      [Symbol.asyncDispose]: async () => {},
    };
  }

  async write(head: CheckpointHead, blocks: AsyncIterable<CheckpointBlock>): Promise<void> {
    this.written.set(head.commit, { head, blocks: structuredClone(await Array.fromAsync(blocks)) });
  }

  async dropBefore(commit: number): Promise<void> {
    for (const other of [...this.written.keys()]) if (other < commit) this.written.delete(other);
  }
}
