import { expect, test } from 'vitest';
import { Table } from '../../../src/model/table.ts';
import { startRows } from '../../../src/pipeline/training/trainer-init.ts';
import { Random } from '../../../src/sampling/random.ts';
import { settings } from './trainer-fixture.ts';

/** The vectors of rows 10 and 11, which are started, and of row 12, which is not. */
function started(initScale: number, unitBall: boolean): Float32Array[] {
  const table = new Table({ dim: 2, maxRows: 50, workspaceBytes: 0 });
  table.addRows(20);
  const model = { ...settings.model, dim: 2, unitBall };
  startRows(Int32Array.of(10, 11), table, { initScale, model }, Random.seeded(1));
  return [10, 11, 12].map((row) => table.vector(row));
}

test('rows start at random within the scale, drawn in the order of rows', () => {
  const random = Random.seeded(1);
  const drawn = () => Float32Array.of(random.uniform() - 0.5, random.uniform() - 0.5);
  expect(started(0.5, true)).toEqual([drawn(), drawn(), new Float32Array(2)]);
});

test('starts are scaled into the unit ball when the settings say so', () => {
  const [free] = started(30, false);
  const [bound] = started(30, true);
  const length = Math.hypot(free![0]!, free![1]!);
  expect(length).toBeGreaterThan(1);
  expect([...bound!]).toEqual([expect.closeTo(free![0]! / length, 6), expect.closeTo(free![1]! / length, 6)]);
});
