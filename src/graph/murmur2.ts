const SEED = 0x9747b28c;
const M = 0x5bd1e995;

/**
 * Murmur 2, 32 bits, signed, of a key's bytes; the bytes of a text are its UTF-8. ASCII text, which nearly every key is, is
 * hashed from its character codes: both ends of each event are hashed, and nothing may be allocated for them.
 * Source: `org.apache.kafka.common.utils.Utils.murmur2`.
 */
export function murmur2(key: string | Uint8Array): number {
  return typeof key === 'string' ? ofText(key) : ofBytes(key);
}

/** The partition of `count` that Kafka's default partitioner chooses for a key. */
export function partitionOf(key: string | Uint8Array, count: number): number {
  return (murmur2(key) & 0x7fffffff) % count;
}

function ofText(text: string): number {
  const { length } = text;
  const whole = length & ~3;
  let hash = SEED ^ length;
  // Every code of the text, one over the other: below 0x80 where all are ASCII.
  let codes = 0;
  for (let i = 0; i < whole; i += 4) {
    const a = text.charCodeAt(i);
    const b = text.charCodeAt(i + 1);
    const c = text.charCodeAt(i + 2);
    const d = text.charCodeAt(i + 3);
    codes |= a | b | c | d;
    hash = mixed(hash, a | (b << 8) | (c << 16) | (d << 24));
  }
  if (whole < length) {
    for (let i = length - 1; i >= whole; i--) {
      const code = text.charCodeAt(i);
      codes |= code;
      hash ^= code << (8 * (i - whole));
    }
    hash = Math.imul(hash, M);
  }
  return codes < 0x80 ? finished(hash) : ofBytes(Buffer.from(text));
}

function ofBytes(bytes: Uint8Array): number {
  const { length } = bytes;
  const whole = length & ~3;
  let hash = SEED ^ length;
  for (let i = 0; i < whole; i += 4) {
    hash = mixed(hash, bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24));
  }
  if (whole < length) {
    for (let i = length - 1; i >= whole; i--) hash ^= bytes[i]! << (8 * (i - whole));
    hash = Math.imul(hash, M);
  }
  return finished(hash);
}

function mixed(hash: number, four: number): number {
  let k = Math.imul(four, M);
  k ^= k >>> 24;
  return Math.imul(hash, M) ^ Math.imul(k, M);
}

function finished(hash: number): number {
  let last = hash ^ (hash >>> 13);
  last = Math.imul(last, M);
  return last ^ (last >>> 15);
}
