import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ranking } from '../../bench/kg/ranking.ts';
import type { Space } from '../../src/evaluation/space.ts';
import type { ScorerName } from '../../src/model/settings.ts';
import { spaceOf, thing } from '../evaluation/space-fixture.ts';

const SCORERS: readonly ScorerName[] = ['transe-l1', 'transe-l2', 'transe-l2-squared', 'twhin'];

/** The score by its formula in float64, of float32 vectors. */
function plainScore(space: Space, anchor: number, relationRow: number, candidate: number): number {
  const { table, model } = space;
  const [a, r, c] = [anchor, relationRow, candidate].map((row) => [...table.vector(row)]);
  const moved = a!.map((value, k) => value + r![k]!);
  const sum = (of: (x: number, y: number) => number) => moved.reduce((all, x, k) => all + of(x, c![k]!), 0);
  if (model.scorer === 'twhin') return sum((x, y) => x * y);
  if (model.scorer === 'transe-l1') return -sum((x, y) => Math.abs(x - y));
  return -sum((x, y) => (x - y) ** 2);
}

/** The slow twin: every candidate compared in float64. */
function plainRank(space: Space, [anchor, relationRow, answer]: number[], candidates: number[]): number {
  const wanted = plainScore(space, anchor!, relationRow!, answer!);
  const scores = candidates
    .filter((row) => row !== answer)
    .map((row) => plainScore(space, anchor!, relationRow!, row));
  return 1 + scores.filter((s) => s > wanted).length + scores.filter((s) => s === wanted).length / 2;
}

/** Numbers of few values, so that scores tie and nearly tie, at sizes from 1e-5 to 1e3. */
const number = fc.oneof(
  fc.constantFrom(0, 0.1, -0.1, 0.5, 1),
  fc.double({ min: -1, max: 1, noNaN: true }),
  fc.constantFrom(1e-5, 3e-5, -1e-5, 1000),
);
const vector = fc.array(number, { minLength: 5, maxLength: 5 });
const vectors = fc.record({
  relation: vector,
  reverse: vector,
  things: fc
    .array(vector, { minLength: 2, maxLength: 30 })
    // Some vectors come twice, and some are a rounding apart.
    .map((some) => [
      ...some,
      ...some.slice(0, 3),
      ...some.slice(0, 3).map((each) => each.map((x) => x + 1e-7)),
    ]),
});

describe('Ranking', () => {
  it.each(SCORERS)('agrees with float64 on every rank, with %s', async (scorer) => {
    await fc.assert(
      fc.asyncProperty(vectors, fc.constantFrom('wasm-plain', 'wasm-relaxed'), async (given, kernel) => {
        const space = await spaceOf(scorer, given, { kernel });
        const rows = given.things.map((_, i) => space.rowOf(thing(i))!);
        const ranking = new Ranking(space, Int32Array.from(rows));
        for (const relationRow of [0, 1]) {
          const questions = rows.map((answer, i) => {
            return {
              anchor: rows[(7 * i) % rows.length]!,
              relationRow,
              answer,
              leftOut: rows.slice(0, i % 3),
            };
          });
          const expected = questions.map(({ anchor, answer, leftOut }) =>
            plainRank(
              space,
              [anchor, relationRow, answer],
              rows.filter((row) => !leftOut.includes(row)),
            ),
          );
          expect([...ranking.ranks(questions)]).toEqual(expected);
        }
      }),
      { numRuns: 60 },
    );
  });
});
