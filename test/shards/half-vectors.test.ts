import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HalfVectors, VectorSlab } from '../../src/shards/half-vectors.ts';

test('a list gives copies of its vectors in the order pushed, without those of forgotten rows, and each once', () => {
  const list = new HalfVectors(2);
  const vector = Float32Array.of(0, 0);
  const numbers = Array.from({ length: 200 }, (_, i) => [i, -i / 8] as const);
  for (const [i, each] of numbers.entries()) {
    vector.set(each);
    list.push(i % 7, vector);
  }
  list.forget(3);
  list.forget(9);
  list.push(3, Float16Array.of(1 / 3, 6));
  const kept = numbers.filter((_, i) => i % 7 !== 3);
  expect(list.length).toBe(kept.length + 1);
  const { rows, halves } = list.take();
  expect([...rows]).toEqual([...kept.map(([i]) => i % 7), 3]);
  expect([...halves]).toEqual([...kept.flat(), Math.f16round(1 / 3), 6]);
  expect([list.length, list.take().rows.length]).toEqual([0, 0]);
});

test('a slab has the distance to the vector of each row that was put last, in half precision, over several blocks', () => {
  const ROWS = 9_000;
  const step = fc.record({
    row: fc.nat(ROWS - 1),
    number: fc.option(fc.float({ noNaN: true, min: -8, max: 8 })),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
      const slab = new VectorSlab(1, ROWS);
      const kept = new Map(Array.from({ length: ROWS }, (_, row) => [row, row % 1_000]));
      for (const [row, number] of kept) slab.put(row, Float32Array.of(number));
      for (const { row, number } of steps) {
        if (number === null) {
          slab.drop(row);
          kept.delete(row);
        } else {
          slab.put(row, Float32Array.of(number));
          kept.set(row, number);
        }
      }
      for (let row = 0; row < ROWS; row++) {
        const number = kept.get(row);
        const expected = number === undefined ? undefined : Math.abs(Math.f16round(number));
        if (slab.distance(row, Float32Array.of(0)) !== expected) expect.fail(`row ${row}`);
        if (slab.has(row) !== kept.has(row)) expect.fail(`row ${row}`);
      }
    }),
    { numRuns: 20 },
  );
});
