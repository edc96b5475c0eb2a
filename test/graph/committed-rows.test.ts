import fc from 'fast-check';
import { expect, test } from 'vitest';
import { placeOf } from '../../src/graph/committed-rows.ts';

test('the binary search finds a row exactly where a search of every row finds it', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(60)), fc.nat(60), (some, row) => {
      const rows = Int32Array.from(some).sort();
      expect(placeOf(rows, row)).toBe(rows.indexOf(row));
    }),
  );
});
