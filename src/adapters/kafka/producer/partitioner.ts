import { type ICustomPartitioner, Partitioners } from 'kafkajs';

const SEED = 0x9747b28c;
const M = 0x5bd1e995;

/** Keys of ASCII text are laid out here to be hashed; a longer one gets a buffer of its own. */
const scratch = new Uint8Array(256);

/**
 * Chooses as kafkajs's DefaultPartitioner does, and Java's: by the hash of a message's key, or as the message says.
 * kafkajs makes a buffer of each key and multiplies big integers, which takes seven times as long
 * (`bench/records.ts`). A message without a key is left to it.
 */
export function keyPartitioner(): ReturnType<ICustomPartitioner> {
  const byKafkajs = Partitioners.DefaultPartitioner();
  return (choice) => {
    const { key, partition } = choice.message;
    if (partition !== undefined && partition !== null) return partition;
    if (key === undefined || key === null) return byKafkajs(choice);
    return (hashOf(key) & 0x7fffffff) % choice.partitionMetadata.length;
  };
}

/** {@link murmur2} of a key's bytes, which are UTF-8 where it is text. */
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
