import { FatalError } from '../../src/errors/errors.ts';
import type {
  Checkpoint,
  CheckpointBlock,
  Checkpoints,
  NewCheckpoint,
  PackedEntities,
} from '../../src/graph/checkpoint.ts';

interface Written {
  readonly head: NewCheckpoint;
  readonly blocks: CheckpointBlock[];
  readonly entities?: readonly PackedEntities[] | undefined;
}

/** Checkpoints in memory, for tests. They are the oracle of the conformance suite. */
export class MemoryCheckpoints implements Checkpoints {
  readonly written = new Map<number, Written>();

  async open(commit: number): Promise<Checkpoint> {
    const found = this.written.get(commit);
    if (found === undefined) throw new FatalError('store-damaged', `there is no checkpoint ${commit}`);
    const { head, blocks, entities } = found;
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
      entities: () => entities && iterated(structuredClone(entities)),
      read: async (rows) => rows.map((row) => all[row]?.slice()),
      [Symbol.asyncDispose]: async () => {},
    };
  }

  async write(
    head: NewCheckpoint,
    blocks: AsyncIterable<CheckpointBlock>,
    entities?: Iterable<PackedEntities>,
  ): Promise<void> {
    const copied = await Array.fromAsync(blocks, (block) => structuredClone(block));
    const written = { head, blocks: copied, entities: entities && [...entities] };
    this.written.set(head.commit, structuredClone(written));
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

async function* iterated<T>(items: readonly T[]): AsyncIterable<T> {
  yield* items;
}
