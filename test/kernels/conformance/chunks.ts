import { expect, test } from 'vitest';
import type { KernelName } from '../../../src/model/kernel.ts';
import {
  type ChunkContent,
  DEFAULTS,
  fill,
  kernelOnRandomRows,
  rowBytes,
  snapshot,
  triples,
} from '../fixture.ts';
import { plainScore, plus } from '../plain-loss.ts';
import { ROWS } from './crowded.ts';

/** Valid and invalid chunks. */
export function chunks(name: KernelName): void {
  test('rows added after the kernel was made are trained and scored', () => {
    const { kernel, table } = kernelOnRandomRows(name, DEFAULTS, { rows: ROWS });
    const pages = table.memory.buffer.byteLength;
    const added = table.addRows(1900);
    expect(table.memory.buffer.byteLength).toBeGreaterThan(pages);
    const row = added + 1899;
    table.vector(row).set([0.5, -0.5, 0.25]);
    fill(kernel.chunk, { edges: [[4, 0, row]], rhsCandidates: [5] });
    kernel.step();
    expect([...table.vector(row)]).not.toEqual([0.5, -0.5, 0.25]);
    const out = new Float32Array(1);
    const { vectors } = snapshot(table);
    kernel.scoreMatrix(Int32Array.of(row), Int32Array.of(1), Int32Array.of(4), out);
    expect(out[0]).toBeCloseTo(plainScore(plus(vectors[row]!, vectors[1]!), vectors[4]!, DEFAULTS), 5);
  });

  test.each<[string, ChunkContent]>([
    ['lhs[0] is row 14; it must be in 2 … 13', { edges: [[14, 0, 5]] }],
    ['lhs[0] is row 3; it must be in 4 … 13', { edges: [[3, 1, 5]] }],
    ['rhs[1] is row -1; it must be in 2 … 13', { edges: triples('4 0 5, 4 0 -1') }],
    ['relation[0] is -1; it must not be negative', { edges: [[4, -1, 5]] }],
    ['lhsCandidates[1] is row 99; it must be in 2 … 13', { edges: [[4, 0, 5]], lhsCandidates: [6, 99] }],
    ['rhsCandidates[0] is row 1; it must be in 2 … 13', { edges: [[4, 0, 5]], rhsCandidates: [1] }],
  ])('refuses a chunk outside the table: %s', (message, content) => {
    const { kernel, table } = kernelOnRandomRows(name, DEFAULTS, { rows: ROWS });
    fill(kernel.chunk, content);
    const before = rowBytes(table);
    expect(() => kernel.step()).toThrow(message);
    expect(rowBytes(table).equals(before)).toBe(true);
  });

  test('refuses more edges or candidates than the chunk has room for', () => {
    const { kernel } = kernelOnRandomRows(name, DEFAULTS, { rows: ROWS });
    fill(kernel.chunk, { edges: [[4, 0, 5]] });
    for (const side of ['lhs', 'rhs'] as const) {
      kernel.chunk.sides[side].count = 14;
      expect(() => kernel.step()).toThrow(`${side}Count is 14; it must be an integer in 0 …`);
      kernel.chunk.sides[side].count = 0;
    }
    kernel.chunk.edges = 14;
    expect(() => kernel.step()).toThrow('edges is 14; it must be an integer in 0 …');
  });

  test('refuses a score matrix outside the table, or with arrays that do not fit', () => {
    const { kernel } = kernelOnRandomRows(name, DEFAULTS, { rows: ROWS });
    const out = new Float32Array(2);
    const [four, one] = [Int32Array.of(4), Int32Array.of(1)];
    expect(() => kernel.scoreMatrix(Int32Array.of(99), one, four, out)).toThrow('anchors[0] is row 99');
    expect(() => kernel.scoreMatrix(four, Int32Array.of(-1), four, out)).toThrow('relationRows[0] is row -1');
    expect(() => kernel.scoreMatrix(four, one, Int32Array.of(14), out)).toThrow('candidates[0] is row 14');
    expect(() => kernel.scoreMatrix(four, one, Int32Array.of(4, 5, 6), out)).toThrow(
      'need 1 relation rows and 3',
    );
    expect(() => kernel.scoreMatrix(four, Int32Array.of(1, 1), four, out)).toThrow('seen 2 and 2');
  });
}
