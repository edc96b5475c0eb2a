import { describe, expect, test } from 'vitest';
import { Table, tableBytes } from '../../src/model/table.ts';

const PAGE = 65_536;

describe('tableBytes', () => {
  // A row of dim 5 is 5 floats, 3 zeros and 16 more: 96 bytes, of which a page holds 682 and two thirds.
  test.each([
    ['none, beside the workspace and room to grow', 0, 3],
    ['as many as fit in the first page', 682, 3],
    ['one more', 683, 4],
    ['as many as fill three pages to the last byte', 2_048, 5],
    ['one more', 2_049, 6],
  ])('%s: %i rows', (_, rows, pages) => {
    const options = { dim: 5, workspaceBytes: PAGE + 1 };
    expect(tableBytes(options, rows)).toBe(pages * PAGE);
    const table = new Table({ ...options, maxRows: 3_000 });
    table.addRows(rows);
    expect(table.memory.buffer.byteLength).toBe(pages * PAGE);
  });

  test('are the same however the rows came', () => {
    const table = new Table({ dim: 5, workspaceBytes: 0, maxRows: 3_000 });
    for (let rows = 0; rows < 2_100; rows += 100) table.addRows(100);
    expect(table.memory.buffer.byteLength).toBe(tableBytes({ dim: 5, workspaceBytes: 0 }, table.rows));
  });
});
