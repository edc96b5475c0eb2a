import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DegreeWeights } from '../../src/sampling/degree-weights.ts';
import { KnownPositives, type Side } from '../../src/sampling/known-positives.ts';
import { Random } from '../../src/sampling/random.ts';

const USER = 0;
const TWEET = 1;
/** Users are rows 0 … 4, tweets 5 … 9. Relation 0 is user-user, 1 and 2 are user-tweet. */
const ROWS = 10;
const RELATIONS = [
  { lhsType: USER, rhsType: USER },
  { lhsType: USER, rhsType: TWEET },
  { lhsType: USER, rhsType: TWEET },
];
const typeOf = (row: number) => (row < 5 ? USER : TWEET);

type Edge = readonly [lhs: number, relation: number, rhs: number];

/** Weights of edges that come one by one, or that are loaded at the start. */
function weightsOf(edges: readonly Edge[], power: number, loaded = false) {
  const known = new KnownPositives({ maxRows: ROWS, maxEdges: 100 });
  const degrees = new DegreeWeights({ known, relations: RELATIONS, types: 2, maxRows: ROWS, power });
  for (const [lhs, relation, rhs] of edges) {
    if (loaded) known.load(lhs, relation, rhs);
    else if (known.add(lhs, relation, rhs)) degrees.add(lhs, relation, rhs);
  }
  if (loaded) {
    known.settle();
    degrees.settle(typeOf);
  }
  return { known, degrees };
}

/** Tweet 5 has four edges of two relations, tweet 6 one; user 0 is followed once; users 0 … 3 have edges out. */
const EDGES: readonly Edge[] = [
  [0, 1, 5],
  [1, 1, 5],
  [2, 2, 5],
  [0, 2, 5],
  [3, 1, 6],
  [1, 0, 0],
];

describe('DegreeWeights', () => {
  it.each([false, true])(
    'gives each row its share of degree^power, by type and side (loaded: %s)',
    (loaded) => {
      const { degrees } = weightsOf(EDGES, 0.5, loaded);
      expect([degrees.edges('rhs', TWEET), degrees.edges('rhs', USER)]).toEqual([5, 1]);
      expect([degrees.edges('lhs', USER), degrees.edges('lhs', TWEET)]).toEqual([6, 0]);
      // Roots of 4 and 1.
      expect(degrees.share('rhs', TWEET, 5)).toBeCloseTo(2 / 3, 3);
      expect(degrees.share('rhs', TWEET, 6)).toBeCloseTo(1 / 3, 3);
      expect(degrees.share('rhs', TWEET, 7)).toBe(0);
      expect(degrees.share('rhs', USER, 0)).toBe(1);
      // Degrees 2, 2, 1, 1 out of users 0 … 3.
      expect(degrees.share('lhs', USER, 0)).toBeCloseTo(Math.SQRT2 / (2 * Math.SQRT2 + 2), 3);
      expect(degrees.share('lhs', USER, 3)).toBeCloseTo(1 / (2 * Math.SQRT2 + 2), 3);
    },
  );

  it.each([
    [0, [1, 1]],
    [0.5, [2, 1]],
    [1, [4, 1]],
  ])('draws in proportion to degree^%d: 20,000 draws, within 1 in 1,000', (power, [five, six]) => {
    const { degrees } = weightsOf(EDGES, power);
    const random = Random.seeded(6);
    const drawn = new Float64Array(ROWS);
    for (let i = 0; i < 20_000; i++) drawn[degrees.draw('rhs', TWEET, random)]!++;
    const total = five! + six!;
    const expected = [(20_000 * five!) / total, (20_000 * six!) / total];
    expect(drawn[5]! + drawn[6]!).toBe(20_000);
    const chiSquare = expected.reduce((sum, n, i) => sum + (drawn[5 + i]! - n) ** 2 / n, 0);
    // The .999 quantile at 1 degree of freedom.
    expect(chiSquare).toBeLessThan(10.83);
  });

  it('depends on the live edges alone, whatever came and went before', () => {
    const edge = fc.oneof(
      fc.tuple(fc.nat(4), fc.constant(0), fc.nat(4)),
      fc.tuple(fc.nat(4), fc.integer({ min: 1, max: 2 }), fc.integer({ min: 5, max: 9 })),
    );
    fc.assert(
      fc.property(
        fc.array(edge, { maxLength: 60 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (events, power) => {
          // Each event adds the edge, or removes the edge that is there.
          const { known, degrees } = weightsOf([], power);
          const live = new Map<string, Edge>();
          for (const [lhs, relation, rhs] of events) {
            const name = `${lhs} ${relation} ${rhs}`;
            if (live.delete(name)) {
              if (known.remove(lhs, relation, rhs)) degrees.remove(lhs, relation, rhs);
            } else {
              live.set(name, [lhs, relation, rhs]);
              if (known.add(lhs, relation, rhs)) degrees.add(lhs, relation, rhs);
            }
          }
          const again = weightsOf([...live.values()].reverse(), power, true).degrees;
          for (const side of ['lhs', 'rhs'] satisfies Side[]) {
            for (const type of [USER, TWEET]) {
              const edges = [...live.values()].filter(
                ([lhs, , rhs]) => typeOf(side === 'lhs' ? lhs : rhs) === type,
              );
              expect(degrees.edges(side, type)).toBe(edges.length);
              expect(again.edges(side, type)).toBe(edges.length);
              if (edges.length === 0) continue;
              for (let row = 0; row < ROWS; row++) {
                expect(again.share(side, type, row)).toBe(degrees.share(side, type, row));
              }
              const draw = (each: DegreeWeights) => {
                const random = Random.seeded(1);
                return Array.from({ length: 20 }, () => each.draw(side, type, random));
              };
              expect(draw(again)).toEqual(draw(degrees));
            }
          }
        },
      ),
    );
  });

  it('has no weight for an edge beyond the remembered ones', () => {
    const known = new KnownPositives({ maxRows: ROWS, maxEdges: 1 });
    const degrees = new DegreeWeights({ known, relations: RELATIONS, types: 2, maxRows: ROWS, power: 1 });
    expect(known.add(0, 1, 5)).toBe(true);
    degrees.add(0, 1, 5);
    expect(known.add(0, 1, 6)).toBe(false);
    expect(known.remove(0, 1, 6)).toBe(false);
    expect(degrees.share('rhs', TWEET, 5)).toBe(1);
  });

  it('weighs a hub of more edges than have a tabled weight as the formula does', () => {
    const known = new KnownPositives({ maxRows: 3_000, maxEdges: 3_000 });
    const relations = [{ lhsType: USER, rhsType: TWEET }];
    const degrees = new DegreeWeights({ known, relations, types: 2, maxRows: 3_000, power: 0.5 });
    for (let lhs = 2; lhs < 2_502; lhs++) {
      known.add(lhs, 0, 0);
      degrees.add(lhs, 0, 0);
    }
    known.add(2, 0, 1);
    degrees.add(2, 0, 1);
    // Roots of 2,500 and 1.
    expect(degrees.share('rhs', TWEET, 0)).toBeCloseTo(50 / 51, 6);
  });
});
