import type { Batch } from '../../src/graph/store.ts';
import { MemoryStore } from '../graph/memory-store.ts';

/** Takes so many writes and then dies, as a process killed just before a write, or just after it. */
export class DyingStore extends MemoryStore {
  #left = Number.POSITIVE_INFINITY;
  #keepsLast = false;

  /** writes: those before the one that kills. keepsLast: that one is kept, though nobody learns of it. */
  dieAfter(writes: number, keepsLast: boolean): void {
    this.#left = writes;
    this.#keepsLast = keepsLast;
  }

  override async write(batch: Batch): Promise<void> {
    if (this.#left-- > 0) return super.write(batch);
    if (this.#left === -1 && this.#keepsLast) await super.write(batch);
    throw new Error('killed');
  }
}
