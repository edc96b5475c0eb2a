import { ShapeError } from '../src/errors/errors.ts';
import { DEFAULT_PREFIX, type TopicDeclaration, topicName } from './declaration.ts';

/** How the numbers of a published vector are written. */
export type Dtype = 'float32';

/** What the headers of a published vector say. */
export interface EmbeddingHeaders {
  readonly graph: string;
  /** Numbers in the vector. */
  readonly dim: number;
  readonly dtype: Dtype;
  /** The training step the vector is of; of two with one key the higher is the truth. */
  readonly step: number;
  /** Time of the newest event in it, epoch ms. */
  readonly at: number;
  /** Of the model: vectors with different fingerprints must not be compared. */
  readonly fingerprint: string;
  /** Rises with each process that took the topic over. */
  readonly epoch: number;
  /** The run of training: vectors of two spaces are turned against one another and must not be compared. */
  readonly space: string;
}

/** A published vector as a reader wants it; `vector` is null for an entity that is gone. */
export interface Embedding extends EmbeddingHeaders {
  readonly vector: Float32Array | null;
}

const HOST_IS_LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
const FLOAT_BYTES = Float32Array.BYTES_PER_ELEMENT;

/** The vector's numbers as bare little-endian float32; a copy. */
export function encodeVector(vector: Float32Array): Buffer {
  const bytes = Buffer.from(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength));
  return HOST_IS_LITTLE_ENDIAN ? bytes : bytes.swap32();
}

/**
 * The numbers of {@link encodeVector}'s bytes; a copy.
 * @throws ShapeError when the length is no multiple of four.
 */
export function decodeVector(value: Uint8Array): Float32Array {
  if (value.byteLength % FLOAT_BYTES !== 0) {
    throw new ShapeError(
      `${value.byteLength} bytes are no whole number of float32; the value is cut or no vector`,
    );
  }
  const bytes = Buffer.alloc(value.byteLength);
  bytes.set(value);
  if (!HOST_IS_LITTLE_ENDIAN) bytes.swap32();
  return new Float32Array(bytes.buffer, bytes.byteOffset, value.byteLength / FLOAT_BYTES);
}

/** The headers of a published vector: UTF-8 text, numbers in decimal. */
export function embeddingHeaders(headers: EmbeddingHeaders): Record<string, string> {
  return {
    graph: headers.graph,
    dim: String(headers.dim),
    dtype: headers.dtype,
    step: String(headers.step),
    at: String(headers.at),
    fingerprint: headers.fingerprint,
    epoch: String(headers.epoch),
    space: headers.space,
  };
}

/**
 * A record of an embeddings topic, checked.
 * headers: as text or as the bytes a client gives; value: null for a tombstone.
 * @throws ShapeError when a header is missing or the value's length isn't what `dim` and `dtype` say.
 */
export function decodeEmbedding(
  headers: Readonly<Record<string, unknown>>,
  value: Uint8Array | null,
): Embedding {
  const dtype = textOf(headers, 'dtype');
  if (dtype !== 'float32')
    throw new ShapeError(`header dtype is ${JSON.stringify(dtype)}; this reads float32`);
  const dim = integerOf(headers, 'dim');
  const vector = value === null ? null : decodeVector(value);
  if (vector !== null && vector.length !== dim) {
    throw new ShapeError(`header dim is ${dim}, but the value holds ${vector.length} numbers`);
  }
  return {
    graph: textOf(headers, 'graph'),
    dim,
    dtype,
    step: integerOf(headers, 'step'),
    at: integerOf(headers, 'at'),
    fingerprint: textOf(headers, 'fingerprint'),
    epoch: integerOf(headers, 'epoch'),
    space: textOf(headers, 'space'),
    vector,
  };
}

function textOf(headers: Readonly<Record<string, unknown>>, name: string): string {
  const value = headers[name];
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  throw new ShapeError(`header ${name} is missing; is this an embeddings topic?`);
}

function integerOf(headers: Readonly<Record<string, unknown>>, name: string): number {
  const text = textOf(headers, name);
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new ShapeError(`header ${name} is ${JSON.stringify(text)}; expected a whole number`);
  }
  return value;
}

/** The name, without the prefix, of the topic a graph's vectors go to. */
export function embeddingsName(graph: string): string {
  return `embeddings.${graph}`;
}

const DAY_MS = 24 * 3_600_000;

/** How a graph's vectors are kept: the last of each key, for ever. */
export function embeddingsDeclaration(
  graph: string,
  prefix: string = DEFAULT_PREFIX,
  partitions = 4,
): TopicDeclaration {
  return {
    name: topicName(prefix, embeddingsName(graph)),
    partitions,
    configs: {
      'cleanup.policy': 'compact',
      // A reader that was away for less than this still sees who was erased.
      'delete.retention.ms': String(7 * DAY_MS),
      // Without a bound an erased vector could stay in the log for as long as nothing else is written.
      'max.compaction.lag.ms': String(DAY_MS),
      'min.cleanable.dirty.ratio': '0.2',
    },
  };
}
