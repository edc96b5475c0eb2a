import { WriteBatch } from '../../src/graph/write-batch.ts';
import { MemoryStore } from '../graph/memory-store.ts';

/** All that a store holds, to be written into another. */
export interface Content {
  readonly batch: WriteBatch;
  readonly checkpoints: MemoryStore['checkpoints']['written'];
}

export async function contentOf(store: MemoryStore): Promise<Content> {
  const batch = new WriteBatch();
  for await (const { key, value } of store.scan(Buffer.alloc(0))) batch.put(key, value);
  return { batch, checkpoints: new Map(store.checkpoints.written) };
}

/** Puts the content into an empty store. */
export async function fill<S extends MemoryStore>(store: S, { batch, checkpoints }: Content): Promise<S> {
  for (const [commit, checkpoint] of checkpoints) store.checkpoints.written.set(commit, checkpoint);
  await store.write(batch);
  return store;
}

export async function copyOf(store: MemoryStore): Promise<MemoryStore> {
  return fill(new MemoryStore(), await contentOf(store));
}
