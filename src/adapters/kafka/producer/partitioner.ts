const SEED = 0x9747b28c;
const M = 0x5bd1e995;

/** Scratch bytes for hashing short ASCII keys; any other key gets a buffer of its own. */
const scratch = new Uint8Array(256);

/** Chooses a partition as Java's client does, by the hash of the key. Messages without a key go to all partitions in turn. */
export function keyPartitioner(): (
  key: string | Uint8Array | null | undefined,
  partitions: number,
) => number {
  let turn = 0;
  return (key, partitions) =>
    key === undefined || key === null ? turn++ % partitions : (hashOf(key) & 0x7fffffff) % partitions;
}

/** {@link murmur2} of a key's bytes; the bytes of a text are its UTF-8. */
export function hashOf(key: string | Uint8Array): number {
  if (typeof key !== 'string') return murmur2(key, key.length);
  const { length } = key;
  if (length > scratch.length) return hashOf(Buffer.from(key));
  for (let i = 0; i < length; i++) {
    const code = key.charCodeAt(i);
    if (code >= 0x80) return hashOf(Buffer.from(key));
    scratch[i] = code;
  }
  return murmur2(scratch, length);
}

/**
 * Murmur 2, 32 bits, signed, of the first `length` bytes.
 * Source: `org.apache.kafka.common.utils.Utils.murmur2`.
 */
function murmur2(bytes: Uint8Array, length: number): number {
  let hash = SEED ^ length;
  const whole = length & ~3;
  for (let i = 0; i < whole; i += 4) {
    let k = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    k = Math.imul(k, M);
    k ^= k >>> 24;
    hash = Math.imul(hash, M) ^ Math.imul(k, M);
  }
  if (whole < length) {
    for (let i = length - 1; i >= whole; i--) hash ^= bytes[i]! << (8 * (i - whole));
    hash = Math.imul(hash, M);
  }
  hash ^= hash >>> 13;
  hash = Math.imul(hash, M);
  return hash ^ (hash >>> 15);
}
