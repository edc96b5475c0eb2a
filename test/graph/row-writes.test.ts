import { expect, test } from 'vitest';
import { RowWrites } from '../../src/graph/row-writes.ts';
import { Random } from '../../src/sampling/random.ts';

const DIM = 2;
const WIDTH = DIM + 2;

test('each row has its key and its numbers, whatever the commits before wrote with the same memory', () => {
  const writes = new RowWrites();
  const random = Random.seeded(11);
  for (const [i, chance] of [0.01, 0.9, 0.3, 0, 0.02, 0.5].entries()) {
    const rows = Int32Array.from({ length: 5_000 }, (_, row) => row).filter(() => random.uniform() < chance);
    const floats = Float32Array.from({ length: WIDTH * rows.length }, () => random.uniform());
    const erased = new Set(rows.subarray(0, 2));
    const found: [key: string, floats: number[], step: number][] = [];
    writes.each({ dim: DIM, rows, floats, steps: i + 1, erased }, (key, value) => {
      const numbers = Array.from({ length: WIDTH }, (_, k) => value.readFloatLE(4 * k));
      found.push([key.toString('hex'), numbers, value.readDoubleLE(4 * WIDTH)]);
    });
    const expected = [...rows].flatMap((row, at) =>
      erased.has(row)
        ? []
        : [
            [
              `76${row.toString(16).padStart(8, '0')}`,
              [...floats.subarray(at * WIDTH, (at + 1) * WIDTH)],
              i + 1,
            ],
          ],
    );
    expect(found).toEqual(expected);
  }
});
