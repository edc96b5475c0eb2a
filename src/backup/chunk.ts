import { FatalError } from '../errors/errors.ts';
import type { Entry } from '../graph/store.ts';

/*
 * A chunk is a run of a store's entries in the order of their keys, compressed with zstd:
 *
 *     key length u16 | value length u32 | key | value        numbers little-endian
 *
 * The end of a chunk depends on its entries, not on its start: once it holds MIN_CHUNK_BYTES, it ends after the first
 * entry whose key hashes low enough. So a change in the store changes the chunk that holds it, and the other chunks stay
 * as they are.
 */
const ENTRY_HEADER_BYTES = 6;
const MIN_CHUNK_BYTES = 1024 * 1024;
/** Mean size of a chunk beyond the minimum. Larger chunks make a backup after few changes larger. */
const MEAN_BEYOND_BYTES = 3 * 1024 * 1024;
/** Largest chunk, uncompressed, and so the memory that a reader needs. */
export const MAX_CHUNK_BYTES = 16 * 1024 * 1024;
const MAX_KEY_BYTES = 0xffff;

/** Gathers entries into a chunk. `bytes` are valid until the next `add`. */
export class ChunkBuilder {
  entries = 0;
  readonly #bytes = Buffer.allocUnsafe(MAX_CHUNK_BYTES);
  #size = 0;
  #ends = false;

  /** Whether the chunk ends with the last entry added. */
  get ends(): boolean {
    return this.#ends;
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#size);
  }

  /**
   * Adds an entry; false where the chunk has no room for it and must end first.
   * @throws FatalError when the entry is too large for any chunk.
   */
  add({ key, value }: Entry): boolean {
    const size = ENTRY_HEADER_BYTES + key.length + value.length;
    if (size > MAX_CHUNK_BYTES || key.length > MAX_KEY_BYTES) {
      throw new FatalError(
        'backup-entry',
        `an entry of ${key.length} + ${value.length} bytes is too large for a backup; see twhin check`,
      );
    }
    if (this.#size + size > MAX_CHUNK_BYTES) return false;
    const at = this.#size;
    this.#bytes.writeUInt16LE(key.length, at);
    this.#bytes.writeUInt32LE(value.length, at + 2);
    this.#bytes.set(key, at + ENTRY_HEADER_BYTES);
    this.#bytes.set(value, at + ENTRY_HEADER_BYTES + key.length);
    this.#size += size;
    this.entries++;
    // The probability is proportional to the entry's size, so that the size of chunks does not depend on their content.
    this.#ends = this.#size >= MIN_CHUNK_BYTES && hashOf(key) < (size / MEAN_BEYOND_BYTES) * 2 ** 32;
    return true;
  }

  clear(): void {
    this.entries = 0;
    this.#size = 0;
    this.#ends = false;
  }
}

/** The entries of an uncompressed chunk. @throws FatalError when an entry reaches beyond the chunk. */
export function* entriesOf(bytes: Buffer): Iterable<Entry> {
  let at = 0;
  while (at < bytes.length) {
    const fits = at + ENTRY_HEADER_BYTES <= bytes.length;
    const keyEnd = fits ? at + ENTRY_HEADER_BYTES + bytes.readUInt16LE(at) : Number.POSITIVE_INFINITY;
    const end = fits ? keyEnd + bytes.readUInt32LE(at + 2) : Number.POSITIVE_INFINITY;
    if (end > bytes.length) {
      throw new FatalError(
        'backup-damaged',
        `an entry at ${at} reaches beyond its chunk of ${bytes.length} bytes`,
      );
    }
    yield { key: bytes.subarray(at + ENTRY_HEADER_BYTES, keyEnd), value: bytes.subarray(keyEnd, end) };
    at = end;
  }
}

/** 32 bits of FNV-1a, then mixed, since the last byte changes only the low bits of FNV-1a. */
function hashOf(key: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ (key[i] ?? 0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
