import type { Checkpoints } from '../../src/graph/checkpoint.ts';
import { type Batch, type Entry, eachOf, type Store } from '../../src/graph/store.ts';
import { MemoryCheckpoints } from './memory-checkpoints.ts';

const RUN = 100;

/** A store in memory, for tests. It is the oracle of the conformance suite. */
export class MemoryStore implements Store {
  /** Those of the graph in it, as the files of a store on a disk lie beside one another. */
  readonly checkpoints = new MemoryCheckpoints();
  readonly #values = new Map<string, Uint8Array>();
  /** Replaced, never changed, so that a scan in progress sees one moment. */
  #ordered: readonly (readonly [key: string, value: Uint8Array])[] | undefined;

  async getMany(keys: readonly (Uint8Array | string)[]): Promise<(Uint8Array | undefined)[]> {
    return keys.map((key) => this.#values.get(typeof key === 'string' ? key : text(key)));
  }

  scan(prefix: Uint8Array): AsyncIterable<Entry> {
    return eachOf(this.runs(prefix));
  }

  async *runs(prefix: Uint8Array): AsyncIterable<readonly Entry[]> {
    // latin1 text sorts as its bytes do.
    this.#ordered ??= [...this.#values].sort(([a], [b]) => (a < b ? -1 : 1));
    const start = text(prefix);
    const found = this.#ordered.filter(([key]) => key.startsWith(start));
    for (let at = 0; at < found.length; at += RUN) {
      yield found.slice(at, at + RUN).map(([key, value]) => ({ key: Buffer.from(key, 'latin1'), value }));
    }
  }

  async write(batch: Batch): Promise<void> {
    await batch.each({
      tryPut: (key, value) => this.#values.set(text(key), Buffer.from(value)),
      tryDelete: (key) => this.#values.delete(text(key)),
    });
    this.#ordered = undefined;
  }

  checkpointsOf(): Checkpoints {
    return this.checkpoints;
  }

  async sync(): Promise<void> {}

  async close(): Promise<void> {}
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
