import { type Store, WriteBatch } from '../../src/graph/store.ts';
import { MemoryStore } from '../graph/memory-store.ts';

/** All that a store holds, to be written into another. */
export async function contentOf(store: Pick<Store, 'scan'>): Promise<WriteBatch> {
  const batch = new WriteBatch();
  for await (const { key, value } of store.scan(Buffer.alloc(0))) batch.put(key, value);
  return batch;
}

export async function copyOf(store: Pick<Store, 'scan'>): Promise<MemoryStore> {
  const copy = new MemoryStore();
  await copy.write(await contentOf(store));
  return copy;
}
