import { describe, expect, it } from 'vitest';
import { FixedCandidates, rowHash } from '../../src/sampling/fixed-candidates.ts';
import { TypeRows } from '../../src/sampling/type-rows.ts';

function smallest(rows: number[], size: number): number[] {
  return [...rows].sort((a, b) => rowHash(a) - rowHash(b)).slice(0, size);
}

describe('FixedCandidates', () => {
  it('holds the rows with the smallest hash as rows come and go', () => {
    const rows = new TypeRows(1, 1000);
    const candidates = new FixedCandidates({ types: 1, size: 20, rows });
    let live: number[] = [];
    for (let row = 0; row < 500; row++) {
      rows.add(row, 0);
      candidates.add(row, 0);
      live.push(row);
      if (row % 50 === 3) expect(candidates.of(0)).toEqual(smallest(live, 20));
      if (row % 25 !== 24) continue;
      const gone = smallest(live, 20)[row % 3]!;
      rows.drop(Int32Array.of(gone));
      candidates.drop(gone, 0);
      live = live.filter((other) => other !== gone);
      if (row % 50 === 24) expect(candidates.of(0)).toEqual(smallest(live, 20));
    }
    expect(candidates.of(0)).toEqual(smallest(live, 20));
  });

  it('is uniform over old and new rows', () => {
    const rows = new TypeRows(1, 20_000);
    const candidates = new FixedCandidates({ types: 1, size: 1000, rows });
    for (let row = 0; row < 20_000; row++) {
      rows.add(row, 0);
      candidates.add(row, 0);
    }
    // 1,000 of 20,000: the half below 10,000 expects 500 with a deviation of 15.4.
    const early = candidates.of(0).filter((row) => row < 10_000).length;
    expect(Math.abs(early - 500)).toBeLessThan(62);
  });

  it('allows a size of 0', () => {
    const rows = new TypeRows(1, 10);
    const candidates = new FixedCandidates({ types: 1, size: 0, rows });
    rows.add(0, 0);
    candidates.add(0, 0);
    expect(candidates.of(0)).toEqual([]);
  });
});
