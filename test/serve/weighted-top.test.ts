import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ScanTable } from '../../src/kernels/scan/table.ts';
import { SCORERS } from '../../src/model/scorers.ts';
import type { ScorerName } from '../../src/model/settings.ts';
import { Random } from '../../src/sampling/random.ts';
import { type WeightedQuery, type WeightedRow, weightedTop } from '../../src/serve/weighted-top.ts';
import { answerOf } from './serve-fixture.ts';

const ALL: readonly ScorerName[] = ['transe-l1', 'transe-l2', 'transe-l2-squared', 'twhin'];
const DIM = 3;
/** Names in another order than the rows. */
const nameOf = (row: number) => `${row % 10}${row}`;
const compare = (a: string, b: string) => (a < b ? -1 : Number(a > b));

/** The slow twin: all rows scored by all queries in float64, and sorted. */
function bruteForce(
  table: ScanTable,
  scorer: ScorerName,
  beta: number,
  queries: readonly WeightedQuery[],
  leftOut: readonly number[],
  count: number,
): WeightedRow[] {
  const found: WeightedRow[] = [];
  for (let row = 0; row < table.rows; row++) {
    if (!table.has(row) || leftOut.includes(row)) continue;
    const vector = Float64Array.from(table.vector(row));
    const scores = queries.map((query) => SCORERS[scorer].score(query.vector, vector, beta));
    let score = 0;
    for (const [i, { weight }] of queries.entries()) score += weight * scores[i]!;
    found.push({ row, score, scores });
  }
  return found.sort((a, b) => b.score - a.score || compare(nameOf(a.row), nameOf(b.row))).slice(0, count);
}

function top(
  ...[table, scorer, beta, queries, leftOut, count]: Parameters<typeof bruteForce>
): WeightedRow[] {
  return answerOf(weightedTop({ table, scorer, beta, nameOf }, queries, leftOut, count));
}

function tableOf(vectors: readonly (readonly number[])[]): ScanTable {
  const table = new ScanTable({ dim: DIM, maxRows: 1_000, scanners: 1 });
  vectors.forEach((vector, row) => void table.write(row, Float32Array.from(vector)));
  return table;
}

/** Numbers of few values and some of them a rounding apart, so that scores tie and nearly tie. */
const number = fc.oneof(
  fc.constantFrom(0, 0.5, -0.5, 1, 1 + 2 ** -23, 1e-5, 2e-5, -1e-5),
  fc.double({ min: -1, max: 1, noNaN: true }),
);
const vector = fc.array(number, { minLength: DIM, maxLength: DIM });
const world = fc.record({
  // Rows take turns with a pool of vectors: many are equal, and there are more of them than a first look is deep.
  pool: fc.array(vector, { minLength: 1, maxLength: 40 }),
  picks: fc.array(fc.nat(39), { minLength: 1, maxLength: 12 }),
  rows: fc.integer({ min: 1, max: 400 }),
  spread: fc.constantFrom(0, 2 ** -20, 0.01),
  queries: fc.array(
    fc.record({
      vector: vector.map((values) => Float64Array.from(values)),
      weight: fc.oneof(fc.constantFrom(0.25, 0.5, 1), fc.double({ min: 0.001, max: 1, noNaN: true })),
    }),
    { minLength: 1, maxLength: 6 },
  ),
  cleared: fc.array(fc.nat(399), { maxLength: 30 }),
  leftOut: fc.array(fc.nat(450), { maxLength: 30 }),
  count: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 21, max: 500 })),
  beta: fc.constantFrom(1, 0.3, 7),
});

describe('weightedTop', () => {
  it.each(ALL)('gives the rows and the scores of brute force, in order, with %s', (scorer) => {
    fc.assert(
      fc.property(world, ({ pool, picks, rows, spread, queries, cleared, leftOut, count, beta }) => {
        const vectors = Array.from({ length: rows }, (_, row) => {
          const from = pool[(picks[row % picks.length]! + Math.floor(row / picks.length)) % pool.length]!;
          return from.map((value, k) => value + spread * ((row * (k + 3)) % 7));
        });
        const table = tableOf(vectors);
        for (const row of cleared) table.clear(row);
        expect(top(table, scorer, beta, queries, leftOut, count)).toEqual(
          bruteForce(table, scorer, beta, queries, leftOut, count),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('puts the lower name first where distances differ and scores do not', () => {
    // To this scorer, all that is nearer than 1e-4 is as near.
    const table = tableOf([
      ...Array.from({ length: 10 }, () => [1, 0, 0]),
      [5e-5, 0, 0],
      [2, 0, 0],
      [0, 0, 0],
    ]);
    for (let row = 1; row < 10; row++) table.clear(row);
    const query = { vector: new Float64Array(DIM), weight: 1 };
    const rows = (count: number) => top(table, 'transe-l2', 1, [query], [], count).map(({ row }) => row);
    expect([rows(1), rows(2), rows(3)]).toEqual([[10], [10, 12], [10, 12, 0]]);
    // 010 comes before 212, and 00 before both of them.
    table.write(0, Float32Array.of(9e-5, 0, 0));
    expect([rows(1), rows(2), rows(3)]).toEqual([[0], [0, 10], [0, 10, 12]]);
  });

  it.each(ALL)(
    'is the order of brute force with 100 numbers, random weights and rows left out, with %s',
    (scorer) => {
      const random = Random.seeded(11);
      const dim = 100;
      const point = () => Float64Array.from({ length: dim }, () => random.uniform() - 0.5);
      const table = new ScanTable({ dim, maxRows: 3_000, scanners: 1 });
      for (let row = 0; row < 3_000; row++) table.write(row, Float32Array.from(point()));
      for (const relations of [2, 3, 5]) {
        // As lists ask: one entity, moved by relations.
        const from = point();
        const weights = Array.from({ length: relations }, () => random.uniform());
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const queries = weights.map((weight) => {
          const by = point();
          return { vector: from.map((value, k) => value + by[k]! / 3), weight: weight / total };
        });
        const leftOut = Array.from({ length: 200 }, () => random.below(3_000));
        for (const count of [1, 20, 300]) {
          const asked: number[] = [];
          const asking = weightedTop({ table, scorer, beta: 9, nameOf }, queries, leftOut, count);
          const found = answerOf(asking, (look) => void asked.push(look.queries.length));
          expect(found).toEqual(bruteForce(table, scorer, 9, queries, leftOut, count));
          // All relations are one query, and where it has their order, one look is enough.
          expect(new Set(asked)).toEqual(new Set([1]));
          if (scorer === 'twhin' || scorer === 'transe-l2-squared') expect(asked).toHaveLength(1);
        }
      }
    },
  );

  it('looks once where one query is asked and no scores are equal', () => {
    const table = tableOf(Array.from({ length: 50 }, (_, i) => [i, 0, 0]));
    const depths: number[] = [];
    const query = { vector: new Float64Array(DIM), weight: 1 };
    const asking = weightedTop({ table, scorer: 'transe-l2', beta: 1, nameOf }, [query], [], 10);
    answerOf(asking, (look) => void depths.push(look.depth));
    expect(depths).toEqual([11]);
  });
});
