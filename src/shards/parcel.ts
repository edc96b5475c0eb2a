import { reasonOf, ShapeError } from '../errors/errors.ts';

/** Entities by their names. */
export interface Names {
  readonly count: number;
  /** Names as in a store's keys, one after the other: type u8, length of the id less one u8, id. */
  readonly names: Uint8Array;
}

export const NO_NAMES: Names = { count: 0, names: new Uint8Array(0) };

/** Gradients or vectors in half precision, by the entities that they belong to. */
export interface NamedVectors extends Names {
  /** [count, dim] gradients; [count, dim + 1] vectors, each with the square root of its accumulator. */
  readonly halves: Float16Array;
}

/** What one shard sends to another after a batch, or a part of it. */
export interface Parcel {
  /** The sender, and its run: a store that is started afresh has another. */
  readonly from: number;
  readonly run: string;
  /**
   * The edges that the sender trained for this parcel, as a range of all that it ever handed to its trainer: after `first`, up
   * to `last`. A parcel of a range that was received already has gradients that are applied already.
   */
  readonly first: number;
  readonly last: number;
  /** Numbers the parcels of one end that go to one shard, from 0: a batch without new edges has the end of the batch before. */
  readonly part: number;
  /** Gradients of the receiver's rows, one for each row and chunk. */
  readonly gradients: NamedVectors;
  /** Vectors of the sender's rows. */
  readonly vectors: NamedVectors;
  /** [relation rows, dim + 1] the sender's relation vectors with their accumulators; empty in most parcels. */
  readonly relations: Float32Array;
  /** Entities of the receiver's of which the sender has a copy without a vector: theirs are to be sent to it. */
  readonly wanted: Names;
}

/** The version of the layout below. Parcels of any other are refused: all shards of a graph run one version of the program. */
const VERSION = 5;
/**
 *     version u8 | 0 | part u16 | from u16 | dim u16 | first f64 | last f64 | relation floats u32 | gradients u32 |
 *     bytes of their names u32 | vectors u32 | bytes of their names u32 | wanted u32 | bytes of their names u32 |
 *     bytes of run u32 | relations, f32 each | gradients, then vectors, f16 each | run |
 *     names of the gradients, of the vectors, and of the wanted
 *
 * Numbers are little-endian, as they are on every machine that RocksDB's binding runs on. The names need no text of types: only shards of one model read each other's parcels. Half
 * precision costs no quality: docs/adr/032.
 */
const HEADER_BYTES = 56;

export function encodeParcel(parcel: Parcel, dim: number): Buffer {
  const { gradients, vectors, relations, wanted } = parcel;
  const run = Buffer.from(parcel.run);
  const counts = [
    relations.length,
    ...[gradients, vectors, wanted].flatMap(({ count, names }) => [count, names.length]),
    run.length,
  ];
  const names = [gradients.names, vectors.names, wanted.names];
  const sections = [relations, gradients.halves, vectors.halves, run, ...names];
  const bytes = Buffer.alloc(sections.reduce((sum, { byteLength }) => sum + byteLength, HEADER_BYTES));
  bytes.writeUInt8(VERSION, 0);
  bytes.writeUInt16LE(parcel.part, 2);
  bytes.writeUInt16LE(parcel.from, 4);
  bytes.writeUInt16LE(dim, 6);
  bytes.writeDoubleLE(parcel.first, 8);
  bytes.writeDoubleLE(parcel.last, 16);
  for (const [place, count] of counts.entries()) bytes.writeUInt32LE(count, 24 + 4 * place);
  let at = HEADER_BYTES;
  for (const { buffer, byteOffset, byteLength } of sections) {
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), at);
    at += byteLength;
  }
  return bytes;
}

/** @throws ShapeError where the bytes are no parcel, or one of vectors of another dimension. */
export function decodeParcel(value: Uint8Array | null, dim: number): Parcel {
  if (value === null) throw badParcel('it has no value');
  // A copy, whose numbers are aligned.
  const bytes = Buffer.from(Uint8Array.from(value).buffer);
  try {
    return read(bytes, dim);
  } catch (error) {
    if (error instanceof ShapeError) throw error;
    throw badParcel(reasonOf(error));
  }
}

function read(bytes: Buffer, dim: number): Parcel {
  const version = bytes.readUInt8(0);
  if (version !== VERSION) throw badParcel(`its version is ${version}; this process reads ${VERSION}`);
  const seenDim = bytes.readUInt16LE(6);
  if (seenDim !== dim) throw badParcel(`its vectors have ${seenDim} numbers; this graph's have ${dim}`);
  let at = HEADER_BYTES;
  const take = (length: number): Buffer => {
    const part = bytes.subarray(at, at + length);
    at += length;
    if (part.length < length) throw badParcel(`it has ${bytes.length} bytes, and needs ${at}`);
    return part;
  };
  const count = (place: number) => bytes.readUInt32LE(24 + 4 * place);
  const halves = (length: number) => {
    const part = take(2 * length);
    return new Float16Array(part.buffer, part.byteOffset, length);
  };
  const relations = take(4 * count(0));
  const [ofGradients, ofVectors] = [halves(count(1) * dim), halves(count(3) * (dim + 1))];
  const parcel = {
    part: bytes.readUInt16LE(2),
    from: bytes.readUInt16LE(4),
    first: bytes.readDoubleLE(8),
    last: bytes.readDoubleLE(16),
    run: take(count(7)).toString(),
    gradients: { count: count(1), halves: ofGradients, names: take(count(2)) },
    vectors: { count: count(3), halves: ofVectors, names: take(count(4)) },
    wanted: { count: count(5), names: take(count(6)) },
    relations: new Float32Array(relations.buffer, relations.byteOffset, count(0)),
  };
  const { first, last } = parcel;
  if (!(Number.isSafeInteger(first) && Number.isSafeInteger(last) && first >= 0 && first <= last))
    throw badParcel(`its edges are those from ${first} to ${last}`);
  if (at !== bytes.length) throw badParcel(`it has ${bytes.length} bytes, and needs ${at}`);
  for (const each of [parcel.gradients, parcel.vectors, parcel.wanted]) checkNames(each);
  return parcel;
}

/** @throws ShapeError unless there are as many whole names as are counted. */
function checkNames({ count, names }: Names): void {
  let at = 0;
  let read = 0;
  for (; read < count && at < names.length; read++) at = nameEnd(names, at);
  if (read !== count || at !== names.length)
    throw badParcel(`${count} names have ${names.length} bytes, which are ${read} names and ${at} bytes`);
}

/** Where the name that starts at `at` ends. */
export function nameEnd(names: Uint8Array, at: number): number {
  return at + 3 + (names[at + 1] ?? 0);
}

function badParcel(reason: string): ShapeError {
  return new ShapeError(`a parcel of another shard can't be read: ${reason}`);
}
