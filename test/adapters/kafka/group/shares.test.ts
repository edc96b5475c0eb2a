import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EQUAL_SHARES } from '../../../../src/adapters/kafka/group/shares.ts';

const group = fc.record({
  members: fc.uniqueArray(fc.string({ minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 9 }),
  counts: fc.array(fc.nat(13), { minLength: 1, maxLength: 5 }),
});

test('every partition is one member’s, and no member has two more than another', () => {
  fc.assert(
    fc.property(group, ({ members, counts }) => {
      const all = counts.map((count, i) => ({
        topic: `t${i}`,
        partitions: Array.from({ length: count }, (_, partition) => partition),
      }));
      const shares = EQUAL_SHARES.assign(
        members.map((memberId) => ({ memberId, metadata: Buffer.alloc(0) })),
        all,
      );
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

test('members get the same in whatever order they are named', () => {
  const all = [
    { topic: 'b', partitions: [1, 0] },
    { topic: 'a', partitions: [0, 1, 2] },
  ];
  const shares = (ids: string[]) =>
    EQUAL_SHARES.assign(
      ids.map((memberId) => ({ memberId, metadata: Buffer.alloc(0) })),
      all,
    );
  expect(shares(['y', 'x'])).toEqual(shares(['x', 'y']));
  expect(shares(['x', 'y']).get('x')).toEqual([
    { topic: 'a', partitions: [0, 2] },
    { topic: 'b', partitions: [1] },
  ]);
});
