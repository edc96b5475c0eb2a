import { ShapeError } from '../errors/errors.ts';
import type { Chunk } from '../model/kernel.ts';
import type { ModelSettings } from '../model/settings.ts';
import type { Table } from '../model/table.ts';

/** The most edges, and candidates per side, that a chunk holds. */
export interface ChunkSize {
  readonly maxEdges: number;
  readonly maxCandidates: number;
}

/** Names of a chunk's arrays. */
type ChunkArray = { [K in keyof Chunk]: Chunk[K] extends ArrayBufferView ? K : never }[keyof Chunk];

/**
 * An empty chunk with the model's learning rate. memory: where its arrays lie, in a buffer with zeros at these byte addresses; on the
 * heap unless given.
 */
export function createChunk(
  { maxEdges, maxCandidates }: ChunkSize,
  { learningRate }: Pick<ModelSettings, 'learningRate'>,
  memory?: { readonly buffer: ArrayBufferLike; readonly addresses: Readonly<Record<ChunkArray, number>> },
): Chunk {
  const place = (name: ChunkArray, bytes: number): [ArrayBufferLike, number] =>
    memory ? [memory.buffer, memory.addresses[name]] : [new ArrayBuffer(bytes), 0];
  const ints = (name: ChunkArray, length: number) => new Int32Array(...place(name, 4 * length), length);
  const floats = (name: ChunkArray, length: number) => new Float32Array(...place(name, 4 * length), length);
  const bytes = (name: ChunkArray, length: number) => new Uint8Array(...place(name, length), length);
  return {
    maxEdges,
    maxCandidates,
    edges: 0,
    learningRate,
    lhs: ints('lhs', maxEdges),
    relation: ints('relation', maxEdges),
    rhs: ints('rhs', maxEdges),
    edgeWeights: floats('edgeWeights', maxEdges).fill(1),
    lhsCount: 0,
    lhsCandidates: ints('lhsCandidates', maxCandidates),
    rhsCount: 0,
    rhsCandidates: ints('rhsCandidates', maxCandidates),
    lhsMask: bytes('lhsMask', maxEdges * maxCandidates),
    rhsMask: bytes('rhsMask', maxEdges * maxCandidates),
    lhsCorrections: floats('lhsCorrections', maxCandidates),
    rhsCorrections: floats('rhsCorrections', maxCandidates),
  };
}

/**
 * Refuses a chunk that would read or write outside the table, since the compiled kernel does not check bounds. Returns
 * the first row that can belong to an entity; the rows below it belong to relations.
 * @throws ShapeError with the count or row, and the expected range.
 */
export function checkChunk(chunk: Chunk, table: Table): number {
  checkCount('edges', chunk.edges, chunk.maxEdges);
  checkCount('lhsCount', chunk.lhsCount, chunk.maxCandidates);
  checkCount('rhsCount', chunk.rhsCount, chunk.maxCandidates);
  let relations = 0;
  for (let i = 0; i < chunk.edges; i++) {
    const relation = chunk.relation[i]!;
    if (relation < 0) throw new ShapeError(`relation[${i}] is ${relation}; it must not be negative`);
    relations = Math.max(relations, relation + 1);
  }
  const firstEntity = 2 * relations;
  checkRows('lhs', chunk.lhs, chunk.edges, firstEntity, table.rows);
  checkRows('rhs', chunk.rhs, chunk.edges, firstEntity, table.rows);
  checkRows('lhsCandidates', chunk.lhsCandidates, chunk.lhsCount, firstEntity, table.rows);
  checkRows('rhsCandidates', chunk.rhsCandidates, chunk.rhsCount, firstEntity, table.rows);
  return firstEntity;
}

/**
 * Refuses a score matrix of rows outside the table, or an array of the wrong length.
 * @throws ShapeError with the row or the length, and what was expected.
 */
export function checkScoreMatrix(
  table: Table,
  anchors: Int32Array,
  relationRows: Int32Array,
  candidates: Int32Array,
  out: Float32Array,
): void {
  const scores = anchors.length * candidates.length;
  if (relationRows.length !== anchors.length || out.length < scores) {
    throw new ShapeError(
      `${anchors.length} anchors with ${candidates.length} candidates need ${anchors.length} relation rows and ${scores} ` +
        `elements of out; seen ${relationRows.length} and ${out.length}`,
    );
  }
  checkRows('anchors', anchors, anchors.length, 0, table.rows);
  checkRows('relationRows', relationRows, relationRows.length, 0, table.rows);
  checkRows('candidates', candidates, candidates.length, 0, table.rows);
}

/** @throws ShapeError unless the first `count` of `rows` are in [first, end). */
function checkRows(name: string, rows: Int32Array, count: number, first: number, end: number): void {
  for (let i = 0; i < count; i++) {
    const row = rows[i]!;
    if (row < first || row >= end) {
      throw new ShapeError(`${name}[${i}] is row ${row}; it must be in ${first} … ${end - 1}`);
    }
  }
}

function checkCount(name: string, count: number, most: number): void {
  if (!Number.isInteger(count) || count < 0 || count > most) {
    throw new ShapeError(`${name} is ${count}; it must be an integer in 0 … ${most}`);
  }
}

/** One direction of training: anchors on one side, positives and candidates on the other. */
export interface Side {
  /** [maxEdges] rows; the chunk's first `edges` count. */
  readonly anchors: Int32Array;
  /** The relation row of relation r is 2r + `reverse`. */
  readonly reverse: 0 | 1;
  readonly positives: Int32Array;
  /** [count] rows. */
  readonly candidates: Int32Array;
  /** [edges, maxCandidates]: 1 where the candidate is not a negative. */
  readonly mask: Uint8Array;
  /** [count] subtracted from the candidates' scores by the softmax loss. */
  readonly corrections: Float32Array;
}

/** The directions of a chunk that have candidates: the others are not trained. */
export function trainedSides(chunk: Chunk): readonly Side[] {
  return sidesOf(chunk).filter(({ candidates }) => candidates.length > 0);
}

/** Both directions of a chunk; the first has lhs as anchors and forward relation rows. */
function sidesOf(chunk: Chunk): readonly [Side, Side] {
  const { lhs, lhsCount, lhsCandidates, lhsMask, lhsCorrections } = chunk;
  const { rhs, rhsCount, rhsCandidates, rhsMask, rhsCorrections } = chunk;
  return [
    {
      anchors: lhs,
      reverse: 0,
      positives: rhs,
      candidates: rhsCandidates.subarray(0, rhsCount),
      mask: rhsMask,
      corrections: rhsCorrections.subarray(0, rhsCount),
    },
    {
      anchors: rhs,
      reverse: 1,
      positives: lhs,
      candidates: lhsCandidates.subarray(0, lhsCount),
      mask: lhsMask,
      corrections: lhsCorrections.subarray(0, lhsCount),
    },
  ];
}
