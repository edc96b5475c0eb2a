import { ShapeError } from '../errors/errors.ts';
import type { Chunk, ChunkSide, ScoreMatrix, Side } from '../model/kernel.ts';
import type { ModelSettings } from '../model/settings.ts';
import type { Table } from '../model/table.ts';

/** The most edges, and candidates per side, that a chunk holds. */
export interface ChunkSize {
  readonly maxEdges: number;
  readonly maxCandidates: number;
}

/** Names of a chunk's arrays, and of those of its sides. */
type ChunkArray = Side | 'relation' | 'edgeWeights' | `${Side}${'Candidates' | 'Mask' | 'Corrections'}`;

/** An empty chunk. memory: where its arrays lie, in a buffer with zeros at these byte addresses; on the heap unless given. */
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
  const ends = { lhs: ints('lhs', maxEdges), rhs: ints('rhs', maxEdges) };
  const replacing = (side: Side): ChunkSide => ({
    anchors: side === 'lhs' ? ends.rhs : ends.lhs,
    positives: ends[side],
    reverse: side === 'lhs' ? 1 : 0,
    count: 0,
    candidates: ints(`${side}Candidates`, maxCandidates),
    mask: bytes(`${side}Mask`, maxEdges * maxCandidates),
    corrections: floats(`${side}Corrections`, maxCandidates),
  });
  return {
    maxEdges,
    maxCandidates,
    edges: 0,
    learningRate,
    ...ends,
    relation: ints('relation', maxEdges),
    edgeWeights: floats('edgeWeights', maxEdges).fill(1),
    sides: { lhs: replacing('lhs'), rhs: replacing('rhs') },
  };
}

/**
 * Refuses a chunk that would read or write outside the table, since the compiled kernel does not check bounds. Returns
 * the first row that can belong to an entity; the rows below it belong to relations.
 * @throws ShapeError with the count or row, and the expected range.
 */
export function checkChunk(chunk: Chunk, table: Table): number {
  checkCount('edges', chunk.edges, chunk.maxEdges);
  const sides = Object.entries(chunk.sides);
  for (const [side, { count }] of sides) checkCount(`${side}Count`, count, chunk.maxCandidates);
  let relations = 0;
  for (let i = 0; i < chunk.edges; i++) {
    const relation = chunk.relation[i]!;
    if (relation < 0) throw new ShapeError(`relation[${i}] is ${relation}; it must not be negative`);
    relations = Math.max(relations, relation + 1);
  }
  const firstEntity = 2 * relations;
  checkRows('lhs', chunk.lhs, chunk.edges, firstEntity, table.rows);
  checkRows('rhs', chunk.rhs, chunk.edges, firstEntity, table.rows);
  for (const [side, { candidates, count }] of sides)
    checkRows(`${side}Candidates`, candidates, count, firstEntity, table.rows);
  return firstEntity;
}

/** The arguments, checked. @throws ShapeError for rows outside the table or an array of the wrong length. */
export function checkScoreMatrix(table: Table, asked: ScoreMatrix): ScoreMatrix {
  const [anchors, relationRows, candidates, out] = asked;
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
  return asked;
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
