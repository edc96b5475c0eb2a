import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { entityKey } from '../../src/graph/entity.ts';
import type { ScorerName } from '../../src/model/settings.ts';
import { percentilesOf } from '../../src/serve/percentiles.ts';
import { VectorTable } from '../../src/serve/vector-table.ts';
import { passes } from './serve-fixture.ts';

const ALL: readonly ScorerName[] = ['transe-l1', 'transe-l2', 'transe-l2-squared', 'twhin'];
/** So many rows are ranked by the scores of all rows, and one alone by a pass over the codes. */
const MANY = 65;

function tableOf(points: readonly (readonly [number, number])[], scorer: ScorerName) {
  const table = new VectorTable('tweet', 2, 10_000);
  const keys = points.map((_, i) => entityKey('tweet', `${i}`));
  for (const [i, key] of keys.entries()) table.set(key, Float32Array.from(points[i]!));
  return {
    rows: table.rowsOf(keys),
    percentilesOf: async (query: readonly number[], rows: readonly number[]) => {
      const asking = () =>
        percentilesOf({ table: table.scan, scorer, query: Float64Array.from(query), rows });
      return passes().ask(asking);
    },
  };
}

describe.each(ALL)('percentiles by %s', (scorer) => {
  test('are the same for a row asked for alone and for all rows at once', async () => {
    // Close together, so that a root or a factor makes different distances equal.
    const coordinate = fc.oneof(
      fc.integer({ min: -3, max: 3 }),
      fc.integer({ min: -3, max: 3 }).map((n) => n * 1e-4),
      fc.float({ min: -1, max: 1, noNaN: true }),
    );
    const point = fc.tuple(coordinate, coordinate);
    await fc.assert(
      fc.asyncProperty(
        point,
        fc.array(point, { minLength: MANY, maxLength: 2 * MANY }),
        async (query, points) => {
          const { percentilesOf: of, rows } = tableOf(points, scorer);
          const together = await of(query, rows);
          for (const row of rows) expect((await of(query, [row])).get(row)).toBe(together.get(row));
        },
      ),
      { numRuns: 40 },
    );
  });
});

test('a row nearer than the least distance of the scorer is told from one nearer still', async () => {
  const far = Array.from({ length: MANY }, (_, i): [number, number] => [i + 1, 0]);
  const { percentilesOf: of, rows } = tableOf([[2e-5, 0], [1e-5, 0], ...far], 'transe-l2');
  const percentiles = await of([0, 0], rows);
  expect(percentiles.get(rows[1]!)).toBe(1);
  expect(percentiles.get(rows[0]!)).toBe(1 - 1 / (rows.length - 1));
});

test('the only row has 1, and of equal rows each half', async () => {
  const alone = tableOf([[1, 1]], 'twhin');
  expect(await alone.percentilesOf([1, 0], alone.rows)).toEqual(new Map([[0, 1]]));
  const equal = tableOf(
    Array.from({ length: 2 * MANY }, (): [number, number] => [1, 1]),
    'transe-l1',
  );
  const halves = await equal.percentilesOf([0, 0], equal.rows);
  expect(new Set(halves.values())).toEqual(new Set([0.5]));
});
