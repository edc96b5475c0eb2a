import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EQUAL_SHARES } from '../../../../src/adapters/kafka/group/shares.ts';

const group = fc.record({
  members: fc.uniqueArray(fc.string({ minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 9 }),
  counts: fc.array(fc.nat(13), { minLength: 1, maxLength: 5 }),
});

test('every partition is one member’s, no member has two more than another, and the order of names counts for nothing', () => {
  fc.assert(
    fc.property(group, ({ members, counts }) => {
      const all = counts.map((count, i) => ({
        topic: `t${i}`,
        partitions: Array.from({ length: count }, (_, partition) => partition),
      }));
      const named = members.map((memberId) => ({ memberId, metadata: Buffer.alloc(0) }));
      const shares = EQUAL_SHARES.assign(named, all);
      const backwards = all.toReversed().map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.toReversed(),
      }));
      expect(EQUAL_SHARES.assign(named.toReversed(), backwards)).toEqual(shares);
      const of = (id: string) =>
        (shares.get(id) ?? []).flatMap(({ topic, partitions }) =>
          partitions.map((each) => `${topic}/${each}`),
        );
      const given = members.flatMap(of);
      expect(given.toSorted()).toEqual(
        all.flatMap(({ topic, partitions }) => partitions.map((each) => `${topic}/${each}`)).toSorted(),
      );
      const sizes = members.map((id) => of(id).length);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    }),
  );
});
