import { ShapeError } from '../src/errors/errors.ts';
import { DEFAULT_PREFIX, type TopicDeclaration, topicName } from './declaration.ts';

/** The number format of a published vector. */
export type Dtype = 'float32';

/** The headers of a published vector. */
export interface EmbeddingHeaders {
  readonly graph: string;
  /** Numbers in the vector. */
  readonly dim: number;
  readonly dtype: Dtype;
  /** The training step of the vector. Of two records with one key, the higher step is valid. */
  readonly step: number;
  /** Time of the newest event that the vector includes, epoch ms. */
  readonly at: number;
  /** Fingerprint of the model. Vectors with different fingerprints must not be compared. */
  readonly fingerprint: string;
  /** Rises with each process that takes over the topic. */
  readonly epoch: number;
  /** The training run. Vectors of two spaces are rotated against one another and must not be compared. */
  readonly space: string;
}

/** A decoded record; `vector` is null for an erased entity. */
export interface Embedding extends EmbeddingHeaders {
  readonly vector: Float32Array | null;
}

const HOST_IS_LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
const FLOAT_BYTES = Float32Array.BYTES_PER_ELEMENT;

/** The vector as little-endian float32; a copy. */
export function encodeVector(vector: Float32Array): Buffer {
  const bytes = Buffer.from(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength));
  return HOST_IS_LITTLE_ENDIAN ? bytes : bytes.swap32();
}

/**
 * The vector of the bytes of {@link encodeVector}; a copy.
 * @throws ShapeError when the length is not a multiple of four.
 */
export function decodeVector(value: Uint8Array): Float32Array {
  if (value.byteLength % FLOAT_BYTES !== 0) {
    throw new ShapeError(
      `${value.byteLength} bytes are not a multiple of 4; the value is truncated, or not a vector of float32`,
    );
  }
  const bytes = Buffer.alloc(value.byteLength);
  bytes.set(value);
  if (!HOST_IS_LITTLE_ENDIAN) bytes.swap32();
  return new Float32Array(bytes.buffer, bytes.byteOffset, value.byteLength / FLOAT_BYTES);
}

/** Encodes headers as UTF-8 text, with numbers in decimal. */
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
 * Decodes and checks a record of an embeddings topic.
 * headers: as text, or as bytes from a client; value: null for a tombstone.
 * @throws ShapeError when a header is missing, or the value's length does not match `dim` and `dtype`.
 */
export function decodeEmbedding(
  headers: Readonly<Record<string, unknown>>,
  value: Uint8Array | null,
): Embedding {
  const dtype = textOf(headers, 'dtype');
  if (dtype !== 'float32')
    throw new ShapeError(`header dtype is ${JSON.stringify(dtype)}; this version reads float32`);
  const dim = integerOf(headers, 'dim');
  if (dim === 0) throw new ShapeError('header dim is 0; a vector has numbers');
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

/** Headers that are the same for all vectors of a run of training, but for their step and time. */
const OF_ALL = ['graph', 'dim', 'dtype', 'fingerprint', 'epoch', 'space'] as const;

/**
 * Decodes records of an embeddings topic one after the other, as {@link decodeEmbedding} does. What a record shares with the
 * one before, as neighbours do that a log read from one batch, is decoded once: the object of headers, or most headers. The
 * vectors have one memory: what `read` gives is valid until it is called again.
 */
export class EmbeddingReader {
  #headers: Readonly<Record<string, unknown>> = {};
  #embedding: Embedding | undefined;
  /** The bytes of the vector of `#embedding`. */
  #bytes: Uint8Array = new Uint8Array(0);

  /** @throws ShapeError as `decodeEmbedding`. */
  read(headers: Readonly<Record<string, unknown>>, value: Uint8Array | null): Embedding {
    const before = this.#embedding;
    if (before === undefined || value?.byteLength !== this.#bytes.byteLength || !this.#isOfBefore(headers))
      return this.#decoded(headers, value);
    if (headers !== this.#headers) {
      this.#embedding = { ...before, step: integerOf(headers, 'step'), at: integerOf(headers, 'at') };
      this.#headers = headers;
    }
    this.#bytes.set(value);
    if (!HOST_IS_LITTLE_ENDIAN) bytesOf(this.#bytes).swap32();
    return this.#embedding ?? before;
  }

  #decoded(headers: Readonly<Record<string, unknown>>, value: Uint8Array | null): Embedding {
    const embedding = decodeEmbedding(headers, value);
    const { vector } = embedding;
    if (vector === null) return embedding;
    this.#headers = headers;
    this.#embedding = embedding;
    this.#bytes = new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
    return embedding;
  }

  /** Whether all but step and time are those of the record before. */
  #isOfBefore(headers: Readonly<Record<string, unknown>>): boolean {
    const before = this.#headers;
    return headers === before || OF_ALL.every((name) => headers[name] === before[name]);
  }
}

/** The text of a header, from text or from bytes. @throws ShapeError when the header is missing. */
export function textOf(headers: Readonly<Record<string, unknown>>, name: string): string {
  const value = headers[name];
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return bytesOf(value).toString('utf8');
  throw new ShapeError(`header ${name} is missing; is this a topic with vectors of twhin?`);
}

/** The same bytes, not a copy. */
function bytesOf(bytes: Uint8Array): Buffer {
  if (Buffer.isBuffer(bytes)) return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function integerOf(headers: Readonly<Record<string, unknown>>, name: string): number {
  const text = textOf(headers, name);
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new ShapeError(`header ${name} is ${JSON.stringify(text)}; expected a whole number`);
  }
  return value;
}

/** The name, without the prefix, of the topic with a graph's vectors. */
export function embeddingsName(graph: string): string {
  return `embeddings.${graph}`;
}

const DAY_MS = 24 * 3_600_000;
const SEGMENT_BYTES = 64 * 1024 * 1024;

/** The topic with a graph's vectors: compacted, so that the last record of each key is kept for ever. */
export function embeddingsDeclaration(
  graph: string,
  prefix: string = DEFAULT_PREFIX,
  partitions = 4,
): TopicDeclaration {
  return {
    name: topicName(prefix, embeddingsName(graph)),
    role: 'written',
    partitions,
    configs: compactedForVectors(),
  };
}

/** The settings of a topic with vectors. */
export function compactedForVectors(): Record<string, string> {
  return {
    'cleanup.policy': 'compact',
    // A reader that was away for less than this still sees the tombstones of erased entities.
    'delete.retention.ms': String(7 * DAY_MS),
    // Without this limit, an erased vector could stay in the log for as long as nothing else is written.
    'max.compaction.lag.ms': String(DAY_MS),
    'min.cleanable.dirty.ratio': '0.2',
    // The newest segment of a partition is never compacted, and readers start by reading all of it.
    'segment.bytes': String(SEGMENT_BYTES),
  };
}
