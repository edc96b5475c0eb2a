import type { PageFile } from '../../src/sampling/slot-pages.ts';

/** A page file in memory. */
export class MemoryFile implements PageFile {
  written = 0;
  reads = 0;
  readonly #pages = new Map<number, { neighbours: Int32Array; relations: Uint8Array }>();

  write(page: number, neighbours: Int32Array, relations: Uint8Array): void {
    this.written++;
    this.#pages.set(page, { neighbours: neighbours.slice(), relations: relations.slice() });
  }

  read(page: number, neighbours: Int32Array, relations: Uint8Array): void {
    this.reads++;
    const kept = this.#pages.get(page);
    if (kept === undefined) throw new Error(`page ${page} was never written`);
    neighbours.set(kept.neighbours);
    relations.set(kept.relations);
  }
}
