import { describe, expect, it } from 'vitest';
import type { EdgeRows } from '../../src/graph/edge.ts';
import { createChunk } from '../../src/kernels/chunk.ts';
import { KnownPositives } from '../../src/sampling/known-positives.ts';
import {
  type ForeignCandidates,
  Negatives,
  type NegativesOptions,
  WHOLE,
} from '../../src/sampling/negatives.ts';
import { Random } from '../../src/sampling/random.ts';
import { TypeRows } from '../../src/sampling/type-rows.ts';

const MAX_EDGES = 4;
const UNIFORM = 30;
const STRIDE = MAX_EDGES + UNIFORM;

type Edge = readonly [lhs: number, relation: number, rhs: number];

const emptyChunk = () => createChunk({ maxEdges: MAX_EDGES, maxCandidates: STRIDE }, { learningRate: 0 });

const LIKES = { lhsType: 0, rhsType: 1 };
const FOLLOWS = { lhsType: 0, rhsType: 0 };

/** Users are rows from 4 on, and tweets those behind them. edges: live ones. */
function withRows(
  { users, tweets = 0, edges = [] }: { users: number; tweets?: number; edges?: readonly Edge[] },
  options: Partial<NegativesOptions>,
) {
  const maxRows = 2_050;
  const rows = new TypeRows(2, maxRows);
  for (let row = 4; row < 4 + users + tweets; row++) rows.add(row, row < 4 + users ? 0 : 1);
  const known = new KnownPositives({ maxRows, maxEdges: 2_000 });
  for (const edge of edges) known.add(...edge);
  const negatives = new Negatives({
    ...{ rows, known, relations: [FOLLOWS, LIKES], uniform: UNIFORM, inBatch: true },
    ...{ corrected: false, anchors: false, foreign: WHOLE },
    ...options,
  });
  return { chunk: emptyChunk(), known, negatives };
}

/** Users are rows 4 … 9, tweets 10 … 17; user 4 also likes tweet 12, and user 6 tweet 10. */
function setUp() {
  const edges = [[4, 0, 12] as const, [6, 0, 10] as const, [5, 1, 11] as const];
  const relations = [LIKES, { ...LIKES, weight: 2.5 }];
  return withRows({ users: 6, tweets: 8, edges }, { relations });
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
    expect([chunk.edges, chunk.sides.lhs.count, chunk.sides.rhs.count]).toEqual([2, 32, 32]);
    expect([...chunk.lhs.subarray(0, 2)]).toEqual([4, 5]);
    expect([...chunk.relation.subarray(0, 2)]).toEqual([0, 1]);
    expect([...chunk.edgeWeights.subarray(0, 2)]).toEqual([1, 2.5]);
    expect([...chunk.sides.rhs.candidates.subarray(0, 2)]).toEqual([10, 13]);
    expect([...chunk.sides.lhs.candidates.subarray(0, 2)]).toEqual([4, 5]);
    const uniformRhs = new Set(chunk.sides.rhs.candidates.subarray(2, 32));
    const uniformLhs = new Set(chunk.sides.lhs.candidates.subarray(2, 32));
    expect(Math.min(...uniformRhs)).toBeGreaterThanOrEqual(10);
    expect(Math.max(...uniformRhs)).toBeLessThan(18);
    expect(Math.min(...uniformLhs)).toBeGreaterThanOrEqual(4);
    expect(Math.max(...uniformLhs)).toBeLessThan(10);
    expect(uniformRhs.size).toBeGreaterThan(5);
  });

  it('masks known positives of each relation on both sides, and nothing else', () => {
    const { chunk, negatives } = setUp();
    negatives.fill(chunk, edges, LAST_TWO, Random.seeded(1));
    const rhsPositives = [new Set([10, 12]), new Set([13, 11])];
    const lhsPositives = [new Set([4, 6]), new Set([5])];
    let masked = 0;
    for (let i = 0; i < 2; i++) {
      for (let k = 0; k < 32; k++) {
        const rhs = chunk.sides.rhs.mask[i * STRIDE + k]!;
        expect(rhs).toBe(rhsPositives[i]!.has(chunk.sides.rhs.candidates[k]!) ? 1 : 0);
        expect(chunk.sides.lhs.mask[i * STRIDE + k]).toBe(
          lhsPositives[i]!.has(chunk.sides.lhs.candidates[k]!) ? 1 : 0,
        );
        masked += rhs;
      }
    }
    expect(masked).toBeGreaterThan(2);
  });
});

/** Three shards; rows from 30 on are other shards'. */
const foreign: ForeignCandidates = { shards: 3, isForeign: (row) => row >= 30, share: () => 1 };

describe('edges to other shards', () => {
  /** Users are rows 4 … 15, and all tweets are rows of other shards. */
  const ofShard = (options: Partial<NegativesOptions>) => withRows({ users: 12 }, options).negatives;

  const likes = { lhs: Int32Array.of(4, 5), relation: Int32Array.of(1, 1), rhs: Int32Array.of(30, 31) };

  it('have in-batch candidates alone of a type without a row here', () => {
    const chunk = emptyChunk();
    ofShard({}).fill(chunk, likes, FIRST_TWO, Random.seeded(1));
    expect([chunk.sides.lhs.count, chunk.sides.rhs.count]).toEqual([2 + UNIFORM, 2]);
    expect([...chunk.sides.rhs.candidates.subarray(0, 2)]).toEqual([30, 31]);
    ofShard({ inBatch: false }).fill(chunk, likes, FIRST_TWO, Random.seeded(1));
    expect([chunk.sides.lhs.count, chunk.sides.rhs.count]).toEqual([UNIFORM, 0]);
  });

  it('are no negatives for an anchor of another shard, own rows are', () => {
    const chunk = emptyChunk();
    const edges = { lhs: Int32Array.of(4, 33), relation: Int32Array.of(0, 0), rhs: Int32Array.of(34, 6) };
    ofShard({ foreign }).fill(chunk, edges, FIRST_TWO, Random.seeded(1));
    const candidates = (list: Int32Array) => [...list.subarray(0, 3)].map((row) => row >= 30);
    expect(candidates(chunk.sides.rhs.candidates)).toEqual([true, false, false]);
    expect(candidates(chunk.sides.lhs.candidates)).toEqual([false, true, false]);
    const masked = (mask: Uint8Array, edge: number) => [...mask.subarray(edge * STRIDE, edge * STRIDE + 3)];
    // An edge's own end is masked as ever.
    expect(masked(chunk.sides.rhs.mask, 0)).toEqual([1, 0, 0]);
    expect(masked(chunk.sides.rhs.mask, 1)).toEqual([1, 1, 0]);
    expect(masked(chunk.sides.lhs.mask, 0)).toEqual([1, 1, 0]);
    expect(masked(chunk.sides.lhs.mask, 1)).toEqual([0, 1, 0]);
  });

  it('make an anchor a hub by the part of them that is known: only its own positive is masked', () => {
    // Row 4 follows 600 others, and as many follow row 5.
    const others = Array.from({ length: 600 }, (_, i) => 6 + i);
    const edges = others.flatMap((row) => [[4, 0, row] as const, [row, 0, 5] as const]);
    const maskedOf = (share: ForeignCandidates['share']) => {
      const own = { ...foreign, isForeign: () => false, share };
      const { chunk, negatives } = withRows({ users: 696, edges }, { inBatch: false, foreign: own });
      const asked = { lhs: Int32Array.of(4), relation: Int32Array.of(0), rhs: Int32Array.of(5) };
      negatives.fill(chunk, asked, Int32Array.of(0), Random.seeded(1));
      const masked = (mask: Uint8Array) => mask.subarray(0, UNIFORM).some((each) => each === 1);
      return { rhs: masked(chunk.sides.rhs.mask), lhs: masked(chunk.sides.lhs.mask) };
    };
    expect(maskedOf(() => 1)).toEqual({ rhs: true, lhs: true });
    expect(maskedOf(() => 0.5)).toEqual({ rhs: false, lhs: false });
    // The anchor of rhs candidates is the lhs of its edges.
    const lhsAlone = maskedOf((row, side) => (row === 4 && side === 'lhs' ? 0.5 : 1));
    expect(lhsAlone).toEqual({ rhs: false, lhs: true });
    const rhsAlone = maskedOf((row, side) => (row === 5 && side === 'rhs' ? 0.5 : 1));
    expect(rhsAlone).toEqual({ rhs: true, lhs: false });
  });

  it('are corrected by how often its chunks have them, own rows standing for those of all shards', () => {
    // Users 4 and 5 follow user 35 of another shard, user 4 follows user 6, and user 35 follows user 6 too.
    const edges = [[4, 0, 35] as const, [5, 0, 35] as const, [4, 0, 6] as const, [35, 0, 6] as const];
    const { chunk, negatives } = withRows({ users: 12, edges }, { uniform: 4, corrected: true, foreign });
    const correctionsOf = (lhs: number, rhs: number) => {
      const edges = { lhs: Int32Array.of(lhs), relation: Int32Array.of(0), rhs: Int32Array.of(rhs) };
      negatives.fill(chunk, edges, Int32Array.of(0), Random.seeded(1));
      expect([chunk.sides.lhs.candidates[0], chunk.sides.rhs.candidates[0]]).toEqual([lhs, rhs]);
      return [chunk.sides.lhs.corrections[0], chunk.sides.rhs.corrections[0]];
    };
    // Three shards of 12 users each; one in-batch candidate beside four uniform ones, and four edges.
    const correction = (edges: number) => expect.closeTo(Math.log((4 + 36 * (edges / 4)) / 5), 5);
    expect(correctionsOf(4, 35)).toEqual([correction(2), correction(2)]);
    expect(correctionsOf(35, 6)).toEqual([correction(1), correction(2)]);
  });
});

describe('anchors as negatives', () => {
  it('makes each anchor a negative of its own edge alone, behind the other candidates', () => {
    const options = { inBatch: false, corrected: true, anchors: true };
    const { chunk, negatives } = withRows({ users: 12, tweets: 2 }, options);
    // 4 follows 5 and 6; 7 follows 7.
    const follows = { lhs: Int32Array.of(4, 4, 7), relation: new Int32Array(3), rhs: Int32Array.of(5, 6, 7) };
    chunk.sides.rhs.corrections.fill(9);
    negatives.fill(chunk, follows, Int32Array.of(0, 1, 2), Random.seeded(1));
    expect([chunk.sides.lhs.count, chunk.sides.rhs.count]).toEqual([UNIFORM + 3, UNIFORM + 3]);
    expect([...chunk.sides.rhs.candidates.subarray(UNIFORM, UNIFORM + 3)]).toEqual([4, 4, 7]);
    expect([...chunk.sides.lhs.candidates.subarray(UNIFORM, UNIFORM + 3)]).toEqual([5, 6, 7]);
    for (const mask of [chunk.sides.lhs.mask, chunk.sides.rhs.mask]) {
      const rowOf = (i: number) => [...mask.subarray(i * STRIDE + UNIFORM, i * STRIDE + UNIFORM + 3)];
      expect([rowOf(0), rowOf(1), rowOf(2)]).toEqual([
        [0, 1, 1],
        [1, 0, 1],
        [1, 1, 1],
      ]);
    }
    expect([...chunk.sides.rhs.corrections.subarray(0, UNIFORM + 3)]).toEqual(new Array(UNIFORM + 3).fill(0));
    // A tweet is no anchor's type.
    const likes = { ...follows, relation: new Int32Array(3).fill(1) };
    negatives.fill(chunk, likes, Int32Array.of(0), Random.seeded(1));
    expect([chunk.sides.lhs.count, chunk.sides.rhs.count]).toEqual([UNIFORM, UNIFORM]);
  });
});

describe('corrected negatives', () => {
  const USERS = 2_000;
  const TWEET = 4 + USERS;

  /** Users are rows 4 … 2,003. The next three rows are tweets liked by 900, 90 and 10 of them, and seven more by nobody. */
  function liked(parts: { uniform: number; inBatch: boolean }) {
    const edges: EdgeRows = {
      lhs: Int32Array.from({ length: 1_000 }, (_, i) => 4 + i),
      relation: new Int32Array(1_000),
      rhs: Int32Array.from({ length: 1_000 }, (_, i) => TWEET + (i < 900 ? 0 : i < 990 ? 1 : 2)),
    };
    const rows = { users: USERS, tweets: 10 };
    const all = withRows(rows, { relations: [LIKES], corrected: true, ...parts });
    for (const [i, user] of edges.lhs.entries()) all.known.add(user, 0, edges.rhs[i]!);
    return { ...all, edges };
  }

  it('are corrected, wherever they came from, by how often they are expected', () => {
    const { chunk, negatives, edges } = liked({ uniform: 10, inBatch: true });
    negatives.fill(chunk, edges, FIRST_TWO, Random.seeded(2));
    // In-batch 2 · share of edges, uniform 10 · 1/10; 12 uniform ones would be 12 · 1/10.
    const of = (degree: number) => Math.log((2 * (degree / 1000) + 1) / 1.2);
    const expected = new Map([
      [TWEET, of(900)],
      [TWEET + 1, of(90)],
      [TWEET + 2, of(10)],
    ]);
    const seen = new Set<number>();
    for (let k = 0; k < 12; k++) {
      const row = chunk.sides.rhs.candidates[k]!;
      seen.add(row);
      // A tweet without an edge is not in-batch: its share there is taken as that of one edge.
      const correction = expected.get(row) ?? of(1);
      expect(chunk.sides.rhs.corrections[k], `row ${row}`).toBeCloseTo(correction, 3);
    }
    expect(seen.size).toBeGreaterThan(4);
  });

  it('make the sum over negatives that of uniform ones on average, however they are drawn', () => {
    // Scores of tweets: the popular ones score high.
    const factor = (row: number) => Math.exp((TWEET + 10 - row) / 4);
    const exact = Array.from({ length: 10 }, (_, i) => factor(TWEET + i)).reduce((a, b) => a + b) / 10;
    for (const parts of [
      { uniform: 30, inBatch: false },
      { uniform: 26, inBatch: true },
    ]) {
      const { chunk, negatives, edges } = liked(parts);
      const random = Random.seeded(3);
      let [sum, count] = [0, 0];
      for (let n = 0; n < 3_000; n++) {
        const picked = Int32Array.from({ length: 4 }, () => random.below(1_000));
        negatives.fill(chunk, edges, picked, random);
        for (let k = 0; k < chunk.sides.rhs.count; k++) {
          sum += factor(chunk.sides.rhs.candidates[k]!) * Math.exp(-chunk.sides.rhs.corrections[k]!);
        }
        count += chunk.sides.rhs.count;
      }
      expect(sum / count / exact, JSON.stringify(parts)).toBeCloseTo(1, 1.5);
    }
  });
});
