import { describe, expect, test } from 'vitest';
import { RowSample } from '../../src/pipeline/entity-sample.ts';

const all = () => true;

describe('RowSample', () => {
  test('is all of few rows, and so many of many, spread over them', () => {
    const sample = new RowSample(100);
    expect(sample.of(3, all)).toEqual([0, 1, 2]);
    const rows = sample.of(10_000, all);
    expect([rows.length, new Set(rows).size]).toEqual([100, 100]);
    // Of a hundred rows about a quarter lies in each quarter.
    for (let quarter = 0; quarter < 4; quarter++) {
      const within = rows.filter((row) => Math.floor(row / 2_500) === quarter).length;
      expect(within).toBeGreaterThan(10);
      expect(within).toBeLessThan(45);
    }
  });

  test('does not hang on when it was asked before, and changes by few as rows are added', () => {
    const asked = new RowSample(100);
    const before = asked.of(10_000, all);
    const after = asked.of(10_500, all);
    expect(after).toEqual(new RowSample(100).of(10_500, all));
    expect(before.filter((row) => after.includes(row)).length).toBeGreaterThan(85);
  });

  test('leaves out what is not wanted, from the start or later', () => {
    const sample = new RowSample(10);
    const even = sample.of(1_000, (row) => row % 2 === 0);
    expect(even).toHaveLength(10);
    expect(even.every((row) => row % 2 === 0)).toBe(true);
    expect(sample.of(1_000, (row) => row % 4 === 0)).toEqual(even.filter((row) => row % 4 === 0));
  });

  test('begins anew with another store, which has fewer rows', () => {
    const sample = new RowSample(10);
    sample.of(1_000, all);
    expect(sample.of(20, all)).toEqual(new RowSample(10).of(20, all));
  });
});
