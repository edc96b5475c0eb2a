import { describe, expect, test } from 'vitest';
import { Table, tableBytes } from '../../src/model/table.ts';

const PAGE = 65_536;

describe('tableBytes', () => {
  // A row of dim 5 is 5 floats, 3 zeros and 4 more: 48 bytes, of which a page holds 1365 and a third.
  test.each([
    ['none, beside the workspace and room to grow', 0, 3],
    ['as many as fit in the first page', 1_365, 3],
    ['one more', 1_366, 4],
    ['as many as fill three pages to the last byte', 4_096, 5],
    ['one more', 4_097, 6],
  ])('%s: %i rows, added at once or by hundreds', (_, rows, pages) => {
    const options = { dim: 5, workspaceBytes: PAGE + 1 };
    expect(tableBytes(options, rows)).toBe(pages * PAGE);
    for (const most of [rows, 100]) {
      const table = new Table({ ...options, maxRows: 5_000 });
      for (let added = 0; added < rows; added += most) table.addRows(Math.min(most, rows - added));
      expect(table.memory.buffer.byteLength).toBe(pages * PAGE);
    }
  });
});

test('rows are foreign only once they are marked, also after the table grew', () => {
  const table = new Table({ dim: 5, workspaceBytes: 0, maxRows: 3_000 });
  table.addRows(3);
  table.markForeign(1, -3);
  table.addRows(2_900);
  table.markForeign(2_902, -1);
  const foreign = Array.from({ length: table.rows }, (_, row) => row).filter((row) => table.isForeign(row));
  expect(foreign).toEqual([1, 2_902]);
  expect(table.floats[table.at(1) + table.accumulator]).toBe(-3);
});

test.each([
  ['of their own', undefined],
  ['that is given', new Float32Array(999).fill(7)],
])('vectors are copies in the order asked for, in memory %s', (_, spent) => {
  const table = new Table({ dim: 5, workspaceBytes: 0, maxRows: 300 });
  table.addRows(300);
  for (let row = 0; row < 300; row++) table.vector(row).fill(row);
  const rows = Int32Array.from({ length: 100 }, (_, i) => (i * 7) % 50);
  const vectors = table.vectors(rows, spent);
  table.vector(7).fill(-1);
  expect([...vectors]).toEqual([...rows].flatMap((row) => Array(5).fill(row)));
  expect(vectors.buffer === spent?.buffer).toBe(spent !== undefined);
});
