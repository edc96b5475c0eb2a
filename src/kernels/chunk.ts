import { ShapeError } from '../errors/errors.ts';
import type { Chunk } from '../model/kernel.ts';
import type { ModelSettings } from '../model/settings.ts';
import type { Table } from '../model/table.ts';

/** The most edges, and candidates per side, that a chunk holds. */
export interface ChunkSize {
  readonly maxEdges: number;
  readonly maxCandidates: number;
}

/** The source of a chunk's arrays: typed arrays of `length` zeros. */
export interface ChunkArrays {
  ints(name: ChunkIntArray, length: number): Int32Array;
  floats(name: ChunkFloatArray, length: number): Float32Array;
  bytes(name: ChunkByteArray, length: number): Uint8Array;
}

export type ChunkIntArray = 'lhs' | 'relation' | 'rhs' | 'lhsCandidates' | 'rhsCandidates';
export type ChunkFloatArray = 'edgeWeights' | 'lhsCorrections' | 'rhsCorrections';
export type ChunkByteArray = 'lhsMask' | 'rhsMask';

/** Arrays on the heap, for a kernel without its own memory. */
export const OWN_ARRAYS: ChunkArrays = {
  ints: (_name, length) => new Int32Array(length),
  floats: (_name, length) => new Float32Array(length),
  bytes: (_name, length) => new Uint8Array(length),
};

/** An empty chunk with the model's learning rate, and arrays of `from`. */
export function createChunk(
  { maxEdges, maxCandidates }: ChunkSize,
  { learningRate }: Pick<ModelSettings, 'learningRate'>,
  from: ChunkArrays,
): Chunk {
  return {
    maxEdges,
    maxCandidates,
    edges: 0,
    learningRate,
    lhs: from.ints('lhs', maxEdges),
    relation: from.ints('relation', maxEdges),
    rhs: from.ints('rhs', maxEdges),
    edgeWeights: from.floats('edgeWeights', maxEdges).fill(1),
    lhsCount: 0,
    lhsCandidates: from.ints('lhsCandidates', maxCandidates),
    rhsCount: 0,
    rhsCandidates: from.ints('rhsCandidates', maxCandidates),
    lhsMask: from.bytes('lhsMask', maxEdges * maxCandidates),
    rhsMask: from.bytes('rhsMask', maxEdges * maxCandidates),
    lhsCorrections: from.floats('lhsCorrections', maxCandidates),
    rhsCorrections: from.floats('rhsCorrections', maxCandidates),
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
