import { type EntityRecord, type GraphStore, inBatches } from '../graph-store.ts';
import type { Layout } from '../layout.ts';
import { COPY_ACCUMULATOR, shardOf } from '../shard.ts';
import { type Entry, WriteBatch } from '../store.ts';

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
 * vector yet stays as it is.
 * stores: in the order of the shards. onProgress: gets the copies written.
 */
export async function renewCopies(
  stores: readonly GraphStore[],
  onProgress: (done: number) => void = () => {},
): Promise<void> {
  let done = 0;
  for (const [index, store] of stores.entries()) {
    for await (const entities of inBatches<EntityRecord>(store.entities())) {
      const byOwner = Map.groupBy(entities, ({ key }) => shardOf(key, stores.length));
      const batch = new WriteBatch();
      for (const [owner, copies] of byOwner) {
        if (owner === index) continue;
        const vectors = await storedRows(
          stores[owner]!,
          copies.map(({ key }) => key),
        );
        copies.forEach(({ row }, i) => {
          const vector = vectors[i];
          if (vector !== undefined) batch.put(store.layout.vectorKey(row), copyOf(vector, store.layout));
        });
        done += copies.length;
      }
      await store.entries.write(batch);
      onProgress(done);
    }
  }
}

/** The stored rows of entities in their owner's store; undefined where there is none. */
async function storedRows(
  store: GraphStore,
  keys: readonly EntityRecord['key'][],
): Promise<(Uint8Array | undefined)[]> {
  const { layout, entries } = store;
  const known = (await store.readEntities(keys)).map((entity) => entity?.row);
  const found = await entries.getMany(
    known.filter((row) => row !== undefined).map((row) => layout.vectorKey(row)),
  );
  let next = 0;
  return known.map((row) => (row === undefined ? undefined : found[next++]));
}
