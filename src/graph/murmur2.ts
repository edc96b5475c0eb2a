import { writeId } from './entity.ts';

const SEED = 0x9747b28c;
const M = 0x5bd1e995;
/** Room for the bytes of a text: both ends of each event are hashed, and nothing may be allocated for them. */
const TEXT = Buffer.alloc(4_096);

/**
 * Murmur 2, 32 bits, signed, of a key's bytes; the bytes of a text are its UTF-8.
 * Source: `org.apache.kafka.common.utils.Utils.murmur2`.
 */
export function murmur2(key: string | Uint8Array): number {
  if (typeof key !== 'string') return ofBytes(key, key.length);
  // A character has three bytes at most.
  return 3 * key.length > TEXT.length ? murmur2(Buffer.from(key)) : ofBytes(TEXT, writeId(TEXT, 0, key, 0));
}

/** The partition of `count` that Kafka's default partitioner chooses for a key. */
export function partitionOf(key: string | Uint8Array, count: number): number {
  return (murmur2(key) & 0x7fffffff) % count;
}

/** Of the first `length` bytes. */
function ofBytes(bytes: Uint8Array, length: number): number {
  const whole = length & ~3;
  let hash = SEED ^ length;
  for (let i = 0; i < whole; i += 4) {
    let k = Math.imul(bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24), M);
    k ^= k >>> 24;
    hash = Math.imul(hash, M) ^ Math.imul(k, M);
  }
  if (whole < length) {
    for (let i = length - 1; i >= whole; i--) hash ^= bytes[i]! << (8 * (i - whole));
    hash = Math.imul(hash, M);
  }
  const last = Math.imul(hash ^ (hash >>> 13), M);
  return last ^ (last >>> 15);
}
