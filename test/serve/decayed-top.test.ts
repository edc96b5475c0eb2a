import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rowMarks } from '../../src/kernels/scan/scan.ts';
import { ScanTable } from '../../src/kernels/scan/table.ts';
import { SCORERS } from '../../src/model/scorers.ts';
import type { ScorerName } from '../../src/model/settings.ts';
import { decayedTop } from '../../src/serve/decayed-top.ts';
import type { Look } from '../../src/serve/looks.ts';
import type { WeightedQuery, WeightedRow } from '../../src/serve/weighted-top.ts';
import { answerOf } from './serve-fixture.ts';

const ALL: readonly ScorerName[] = ['transe-l1', 'transe-l2', 'transe-l2-squared', 'twhin'];
const DIM = 3;
const BETA = 7;
/** Names in another order than the rows. */
const nameOf = (row: number) => `${row % 10}${row}`;
const compare = (a: string, b: string) => (a < b ? -1 : Number(a > b));

interface World {
  readonly table: ScanTable;
  readonly scorer: ScorerName;
  readonly queries: readonly WeightedQuery[];
  readonly leftOut: readonly number[];
  readonly marked: readonly number[];
  readonly losses: Float64Array;
  readonly count: number;
}

/** The slow twin: all rows scored in float64, less what each loses, and sorted. */
function bruteForce({ table, scorer, queries, leftOut, marked, losses, count }: World): WeightedRow[] {
  const found: WeightedRow[] = [];
  for (let row = 0; row < table.rows; row++) {
    if (!table.has(row) || leftOut.includes(row) || marked.includes(row)) continue;
    const vector = Float64Array.from(table.vector(row));
    const scores = queries.map((query) => SCORERS[scorer].score(query.vector, vector, BETA));
    let score = 0;
    for (const [i, { weight }] of queries.entries()) score += weight * scores[i]!;
    found.push({ row, score: score - losses[row]!, scores });
  }
  return found.sort((a, b) => b.score - a.score || compare(nameOf(a.row), nameOf(b.row))).slice(0, count);
}

function top(
  { table, scorer, queries, leftOut, marked, losses, count }: World,
  looked: (look: Look) => void = () => undefined,
): WeightedRow[] {
  const marks = rowMarks(table.rows);
  for (const row of marked) if (row < marks.length) marks[row] = 1;
  const scored = { table, scorer, beta: BETA, nameOf };
  const before = marks.slice();
  const rows = answerOf(decayedTop(scored, queries, leftOut, count, marks, losses), looked);
  // Others read them.
  expect(marks).toEqual(before);
  return rows;
}

function tableOf(vectors: readonly (readonly number[])[]): ScanTable {
  const table = new ScanTable({ dim: DIM, maxRows: 1_000, scanners: 1 });
  vectors.forEach((vector, row) => void table.write(row, Float32Array.from(vector)));
  return table;
}

const number = fc.oneof(
  fc.constantFrom(0, 0.5, -0.5, 1, 1 + 2 ** -23),
  fc.double({ min: -1, max: 1, noNaN: true }),
);
const vector = fc.array(number, { minLength: DIM, maxLength: DIM });
const world = fc.record({
  vectors: fc.array(vector, { minLength: 1, maxLength: 40 }),
  rows: fc.integer({ min: 1, max: 300 }),
  queries: fc.array(
    fc.record({
      vector: vector.map((values) => Float64Array.from(values)),
      weight: fc.constantFrom(0.25, 0.5, 1),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  // Many losses that are equal, next to nothing, far more than any score, or gains: of a process that has read more.
  losses: fc.array(
    fc.oneof(fc.constantFrom(0, 1, 1 + 2 ** -50, 7, 1e-9, 1e5), fc.double({ min: -2, max: 30, noNaN: true })),
    { minLength: 1, maxLength: 12 },
  ),
  cleared: fc.array(fc.nat(299), { maxLength: 30 }),
  leftOut: fc.array(fc.nat(320), { maxLength: 30 }),
  marked: fc.array(fc.nat(299), { maxLength: 60 }),
  count: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 21, max: 400 })),
});

describe('decayedTop', () => {
  it.each(ALL)('gives the rows and the scores of brute force, in order, with %s', (scorer) => {
    fc.assert(
      fc.property(world, ({ vectors, rows, losses, cleared, ...asked }) => {
        const table = tableOf(Array.from({ length: rows }, (_, row) => vectors[row % vectors.length]!));
        for (const row of cleared) table.clear(row);
        const all = Float64Array.from({ length: table.rows }, (_, row) => losses[(row * 7) % losses.length]!);
        const of = { ...asked, table, scorer, losses: all };
        expect(top(of)).toEqual(bruteForce(of));
      }),
      { numRuns: 300 },
    );
  });

  it('puts what was named of late before what is nearer, by hand-worked scores', () => {
    const of: World = {
      table: tableOf([
        [0, 0, 0],
        [1, 0, 0],
        [2, 0, 0],
      ]),
      ...{ scorer: 'transe-l1', leftOut: [], marked: [], count: 2 },
      queries: [{ vector: Float64Array.of(0, 0, 0), weight: 1 }],
      losses: Float64Array.of(20, 8, 0),
    };
    // Scores are 0, -7 and -14.
    expect(top(of)).toEqual([
      { row: 2, score: -14, scores: [-14] },
      { row: 1, score: -15, scores: [-7] },
    ]);
  });

  it('looks once where what is lost decides, though the nearest rows lose most', () => {
    const rows = 1_000;
    const of: World = {
      table: tableOf(Array.from({ length: rows }, (_, row) => [row / rows, 0, 0])),
      ...{ scorer: 'transe-l2', leftOut: [], marked: [], count: 20 },
      queries: [{ vector: new Float64Array(DIM), weight: 1 }],
      losses: Float64Array.from({ length: rows }, (_, row) => 1_000 * (rows - row)),
    };
    let looks = 0;
    expect(
      top(of, () => {
        looks++;
      }),
    ).toEqual(bruteForce(of));
    expect(looks).toBe(1);
  });

  it('looks no deeper than it has to where distances decide', () => {
    const rows = 1_000;
    const of: World = {
      table: tableOf(Array.from({ length: rows }, (_, row) => [row, 0, 0])),
      ...{ scorer: 'transe-l1', leftOut: [], marked: [], count: 20 },
      queries: [{ vector: new Float64Array(DIM), weight: 1 }],
      // Nothing gains more than one place.
      losses: Float64Array.from({ length: rows }, (_, row) => (row % 2 === 0 ? 1.5 * BETA : 0)),
    };
    const depths: number[] = [];
    const rowsFound = top(of, (look) => void depths.push(look.kind === 'top' ? look.depth : 0));
    expect(rowsFound).toEqual(bruteForce(of));
    expect(depths).toEqual([21, 81]);
  });

  it('gives nothing where nothing is left, and where nothing is asked for', () => {
    const of: World = {
      table: tableOf([[1, 0, 0]]),
      ...{ scorer: 'twhin', leftOut: [0], marked: [], count: 5 },
      queries: [{ vector: new Float64Array(DIM), weight: 1 }],
      losses: Float64Array.of(1),
    };
    expect(top(of)).toEqual([]);
    expect(top({ ...of, leftOut: [], count: 0 })).toEqual([]);
  });
});
