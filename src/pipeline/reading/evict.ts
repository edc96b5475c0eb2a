import type { OpenBatch } from '../training/open-batch.ts';
import type { KnownGraph } from './erase.ts';

/**
 * Lets go of copies of other shards' entities above the bound: their rows are used again, and the trainer lets go of them after
 * the batch. Their edges stay in the store, and the next edge makes a copy again. To be called right before the batch is handed
 * over, so that no later edge of it names one of these rows.
 */
export function evict({ unwritten, index, exchange }: KnownGraph, batch: OpenBatch): void {
  const { open: commit } = unwritten;
  for (const row of exchange?.copies.evict() ?? []) {
    const key = index.keyAt(row);
    if (key === undefined) continue;
    batch.evicted.push(row);
    commit.touched.delete(row);
    commit.erasedEntities.set(row, key);
    commit.evicted.push(row);
    index.remove(key);
  }
}
