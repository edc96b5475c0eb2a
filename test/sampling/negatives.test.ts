import { describe, expect, it } from 'vitest';
import type { Chunk } from '../../src/model/kernel.ts';
import { KnownPositives } from '../../src/sampling/known-positives.ts';
import { Negatives } from '../../src/sampling/negatives.ts';
import { Random } from '../../src/sampling/random.ts';
import { TypeRows } from '../../src/sampling/type-rows.ts';

const MAX_EDGES = 4;
const UNIFORM = 30;
const STRIDE = MAX_EDGES + UNIFORM;

function emptyChunk(): Chunk {
  return {
    maxEdges: MAX_EDGES,
    maxCandidates: STRIDE,
    edges: 0,
    lhs: new Int32Array(MAX_EDGES),
    relation: new Int32Array(MAX_EDGES),
    rhs: new Int32Array(MAX_EDGES),
    edgeWeights: new Float32Array(MAX_EDGES).fill(1),
    lhsCount: 0,
    lhsCandidates: new Int32Array(STRIDE),
    rhsCount: 0,
    rhsCandidates: new Int32Array(STRIDE),
    lhsMask: new Uint8Array(MAX_EDGES * STRIDE),
    rhsMask: new Uint8Array(MAX_EDGES * STRIDE),
  };
}

/** Users are rows 4 … 9, tweets 10 … 17; user 4 also likes tweet 12, and user 6 tweet 10. */
function setUp(inBatch = true): { chunk: Chunk; negatives: Negatives; known: KnownPositives } {
  const rows = new TypeRows(2, 20);
  for (let row = 4; row < 18; row++) rows.add(row, row < 10 ? 0 : 1);
  const known = new KnownPositives({ maxRows: 20, maxEdges: 100 });
  known.add(4, 0, 12);
  known.add(6, 0, 10);
  known.add(5, 1, 11);
  const chunk = emptyChunk();
  const relations = [
    { lhsType: 0, rhsType: 1 },
    { lhsType: 0, rhsType: 1, weight: 2.5 },
  ];
  return {
    chunk,
    known,
    negatives: new Negatives({ rows, known, relations, uniform: UNIFORM, inBatch, pool: 0 }),
  };
}

// Edges of the batch: 5 likes 11, 4 likes 10, 5 retweets 13.
const edges = {
  lhs: Int32Array.of(5, 4, 5),
  relation: Int32Array.of(0, 0, 1),
  rhs: Int32Array.of(11, 10, 13),
};
const FIRST_TWO = Int32Array.of(0, 1);
const LAST_TWO = Int32Array.of(1, 2);

describe('Negatives', () => {
  it("fills the edges, the chunk's own candidates and uniform ones of the right type", () => {
    const { chunk, negatives } = setUp();
    negatives.fill(chunk, edges, LAST_TWO, Random.seeded(1));
    expect([chunk.edges, chunk.lhsCount, chunk.rhsCount]).toEqual([2, 32, 32]);
    expect([...chunk.lhs.subarray(0, 2)]).toEqual([4, 5]);
    expect([...chunk.relation.subarray(0, 2)]).toEqual([0, 1]);
    expect([...chunk.edgeWeights.subarray(0, 2)]).toEqual([1, 2.5]);
    expect([...chunk.rhsCandidates.subarray(0, 2)]).toEqual([10, 13]);
    expect([...chunk.lhsCandidates.subarray(0, 2)]).toEqual([4, 5]);
    const uniformRhs = new Set(chunk.rhsCandidates.subarray(2, 32));
    const uniformLhs = new Set(chunk.lhsCandidates.subarray(2, 32));
    expect(Math.min(...uniformRhs)).toBeGreaterThanOrEqual(10);
    expect(Math.max(...uniformRhs)).toBeLessThan(18);
    expect(Math.min(...uniformLhs)).toBeGreaterThanOrEqual(4);
    expect(Math.max(...uniformLhs)).toBeLessThan(10);
    expect(uniformRhs.size).toBeGreaterThan(5);
  });

  it('leaves the own ones out where they are not wanted', () => {
    const { chunk, negatives } = setUp(false);
    negatives.fill(chunk, edges, LAST_TWO, Random.seeded(1));
    expect([chunk.edges, chunk.lhsCount, chunk.rhsCount]).toEqual([2, 30, 30]);
    // The draws are those that otherwise come behind the own ones.
    const both = setUp();
    both.negatives.fill(both.chunk, edges, LAST_TWO, Random.seeded(1));
    expect(chunk.rhsCandidates.subarray(0, 30)).toEqual(both.chunk.rhsCandidates.subarray(2, 32));
    expect(chunk.lhsCandidates.subarray(0, 30)).toEqual(both.chunk.lhsCandidates.subarray(2, 32));
    for (let k = 0; k < 30; k++)
      expect(chunk.rhsMask[k]).toBe([10, 12].includes(chunk.rhsCandidates[k]!) ? 1 : 0);
  });

  it('masks known positives of each relation on both sides, and nothing else', () => {
    const { chunk, negatives } = setUp();
    negatives.fill(chunk, edges, LAST_TWO, Random.seeded(1));
    const rhsPositives = [new Set([10, 12]), new Set([13, 11])];
    const lhsPositives = [new Set([4, 6]), new Set([5])];
    let masked = 0;
    for (let i = 0; i < 2; i++) {
      for (let k = 0; k < 32; k++) {
        const rhs = chunk.rhsMask[i * STRIDE + k]!;
        expect(rhs).toBe(rhsPositives[i]!.has(chunk.rhsCandidates[k]!) ? 1 : 0);
        expect(chunk.lhsMask[i * STRIDE + k]).toBe(lhsPositives[i]!.has(chunk.lhsCandidates[k]!) ? 1 : 0);
        masked += rhs;
      }
    }
    expect(masked).toBeGreaterThan(2);
  });

  it('draws the same from the same state', () => {
    const first = setUp();
    const second = setUp();
    first.negatives.fill(first.chunk, edges, FIRST_TWO, Random.seeded(9));
    second.negatives.fill(second.chunk, edges, FIRST_TWO, Random.seeded(9));
    expect(second.chunk).toEqual(first.chunk);
    second.negatives.fill(second.chunk, edges, FIRST_TWO, Random.seeded(10));
    expect(second.chunk.rhsCandidates).not.toEqual(first.chunk.rhsCandidates);
  });
});
