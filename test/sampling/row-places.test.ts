import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RowPlaces } from '../../src/sampling/row-places.ts';

// Some share a bucket.
const row = fc.constantFrom(0, 1, 5, 1_024, 1_029, 2_048, 2_000_005);

describe('RowPlaces', () => {
  it('finds every place of a row, the last first, of the list it was filled with last', () => {
    const places = new RowPlaces();
    fc.assert(
      fc.property(fc.array(row, { maxLength: 600, size: 'max' }), fc.nat(5), row, (list, spare, asked) => {
        const count = Math.max(0, list.length - spare);
        places.fill(Int32Array.from(list), count);
        const found: number[] = [];
        for (let k = places.last(asked); k >= 0; k = places.previous(k)) found.push(k);
        const expected = list.flatMap((each, k) => (each === asked && k < count ? [k] : []));
        expect(found).toEqual(expected.toReversed());
      }),
    );
  });
});
