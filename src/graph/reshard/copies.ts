import type { GraphStore } from '../graph-store.ts';
import type { Layout } from '../layout.ts';
import { COPY_ACCUMULATOR } from '../shard.ts';
import type { Entry } from '../store.ts';

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
