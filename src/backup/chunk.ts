import { FatalError } from '../errors/errors.ts';
import type { Entry } from '../graph/store.ts';

/*
 * A chunk is a run of a store's entries in the order of their keys, one after the other, and then compressed (zstd):
 *
 *     key length u16 | value length u32 | key | value        numbers little-endian
 *
 * Where a chunk ends is for its entries to say, not for where it began: once it holds MIN_CHUNK_BYTES, it ends after
 * the first entry whose key hashes low enough. So a change makes a new chunk of the one it is in, and the rest of the
 * store is cut as it was before.
 */
const ENTRY_HEADER_BYTES = 6;
const MIN_CHUNK_BYTES = 1024 * 1024;
/** What a chunk holds on average beyond the least: larger ones cost a backup more where little changed. */
const MEAN_BEYOND_BYTES = 3 * 1024 * 1024;
/** No chunk is larger, uncompressed; so none needs more than this to be read. */
export const MAX_CHUNK_BYTES = 16 * 1024 * 1024;
const MAX_KEY_BYTES = 0xffff;

/** Entries gathered into one chunk. Its bytes are good until the next `add`. */
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
   * False where there is no room left, and the chunk has to end before the entry.
   * @throws FatalError when an entry is too large for any chunk.
   */
  add({ key, value }: Entry): boolean {
    const size = ENTRY_HEADER_BYTES + key.length + value.length;
    if (size > MAX_CHUNK_BYTES || key.length > MAX_KEY_BYTES) {
      throw new FatalError(
        'backup-entry',
        `an entry of ${key.length} + ${value.length} bytes is too large to be backed up; see twhin check`,
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
    // In proportion to the entry's size: chunks are as large whatever they hold.
    this.#ends = this.#size >= MIN_CHUNK_BYTES && hashOf(key) < (size / MEAN_BEYOND_BYTES) * 2 ** 32;
    return true;
  }

  clear(): void {
    this.entries = 0;
    this.#size = 0;
    this.#ends = false;
  }
}

/** The entries of an uncompressed chunk. @throws FatalError when a length does not fit into what is left. */
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

/** FNV-1a with a last mixing, for its low bits alone know of the last byte. 32 bits. */
function hashOf(key: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ (key[i] ?? 0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
