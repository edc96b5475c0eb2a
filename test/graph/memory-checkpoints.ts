import { FatalError } from '../../src/errors/errors.ts';
import type { Checkpoint, CheckpointBlock, Checkpoints, NewCheckpoint } from '../../src/graph/checkpoint.ts';

interface Written {
  readonly head: NewCheckpoint;
  readonly blocks: CheckpointBlock[];
}

/** Checkpoints in memory, for tests. They are the oracle of the conformance suite. */
export class MemoryCheckpoints implements Checkpoints {
  readonly written = new Map<number, Written>();

  async open(commit: number): Promise<Checkpoint> {
    const found = this.written.get(commit);
    if (found === undefined) throw new FatalError('store-damaged', `there is no checkpoint ${commit}`);
    const { head, blocks } = found;
    const all = blocks.flatMap(({ floats, types }) => {
      const width = floats.length / types.length;
      return Array.from(types, (_, i) => floats.subarray(i * width, (i + 1) * width));
    });
    return {
      head: { at: 0, ...head },
      rows: all.length,
      async *blocks() {
        yield* structuredClone(blocks);
      },
      read: async (rows) => rows.map((row) => all[row]?.slice()),
      [Symbol.asyncDispose]: async () => {},
    };
  }

  async write(head: NewCheckpoint, blocks: AsyncIterable<CheckpointBlock>): Promise<void> {
    const copied = await Array.fromAsync(blocks, (block) => structuredClone(block));
    this.written.set(head.commit, structuredClone({ head, blocks: copied }));
  }

  async dropBefore(commit: number): Promise<void> {
    this.#drop((other) => other < commit);
  }

  async dropAfter(commit: number): Promise<void> {
    this.#drop((other) => other > commit);
  }

  #drop(isDropped: (commit: number) => boolean): void {
    for (const other of [...this.written.keys()]) if (isDropped(other)) this.written.delete(other);
  }
}
