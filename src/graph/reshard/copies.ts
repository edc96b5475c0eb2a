import type { GraphStore } from '../graph-store.ts';
import { decodeEntity, type Layout } from '../layout.ts';
import { COPY_ACCUMULATOR } from '../shard.ts';
import { type Entry, WriteBatch } from '../store.ts';
import type { MergedGraph } from './merged-graph.ts';

const FLOAT_BYTES = 4;

/** The stored row of a copy of an entity. stored: the entity's row at its owner. */
export function copyOf(stored: Uint8Array, { dim }: Layout): Buffer {
  const value = Buffer.from(stored);
  value.writeFloatLE(COPY_ACCUMULATOR, dim * FLOAT_BYTES);
  value.writeFloatLE(0, (dim + 1) * FLOAT_BYTES);
  return value;
}

/** The rows of the relations as a store has them. Shards merge theirs every few seconds, so those of one count for all. */
export async function relationRows({ layout, entries }: GraphStore): Promise<readonly Entry[]> {
  const keys = layout.relations.flatMap((_, relation) => [
    layout.vectorKey(2 * relation),
    layout.vectorKey(2 * relation + 1),
  ]);
  const values = await entries.getMany(keys);
  return keys.flatMap((key, i) => (values[i] === undefined ? [] : [{ key, value: values[i] }]));
}

/**
 * Gives every copy in the stores of a graph's shards the present vector of its owner, to the bit. A copy whose owner has no
 * vector yet stays as it is. onProgress: gets the entities read.
 */
export async function renewCopies(
  graph: MergedGraph,
  onProgress: (done: number) => void = () => {},
): Promise<void> {
  const { layout, stores } = graph;
  let done = 0;
  for await (const block of graph.entities()) {
    const rows = await graph.rowsOf(block);
    const batches = stores.map(() => new WriteBatch());
    block.forEach(({ held, owner }, i) => {
      const vector = rows[i];
      for (const { store, value } of held) {
        if (store === owner || vector === undefined) continue;
        batches[store]!.put(layout.vectorKey(decodeEntity(value).row), copyOf(vector, layout));
      }
    });
    for (const [i, batch] of batches.entries()) await stores[i]!.entries.write(batch);
    done += block.length;
    onProgress(done);
  }
}
