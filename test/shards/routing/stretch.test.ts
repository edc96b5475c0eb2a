import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { GraphChange } from '../../../src/graph/edge.ts';
import { entityKey } from '../../../src/graph/entity.ts';
import { decodeStretch, encodeStretch } from '../../../src/shards/routing/stretch.ts';

const key = fc
  .tuple(fc.constantFrom('user', 'tweet'), fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }))
  .map(([type, id]) => entityKey(type, id));
const at = fc.integer({ min: 0, max: 2e12 });
const change: fc.Arbitrary<GraphChange> = fc.oneof(
  fc.record({ erased: key, at }),
  fc.record({
    lhs: key,
    relation: fc.constantFrom('likes', 'follows', 'é'),
    rhs: key,
    at,
    removed: fc.boolean(),
  }),
);
const stretch = fc
  .record({
    from: fc.integer({ min: 0, max: 2 ** 52 }),
    gaps: fc.array(
      fc.record({
        gap: fc.nat(3),
        timestamp: fc.integer({ min: -1, max: 2e12 }),
        changes: fc.array(change, { minLength: 1, maxLength: 3 }),
      }),
      { maxLength: 10, size: 'max' },
    ),
    rest: fc.nat(5),
  })
  .map(({ from, gaps, rest }) => {
    let next = from;
    const records = gaps.map(({ gap, timestamp, changes }) => {
      const offset = next + gap;
      next = offset + 1;
      return { offset, timestamp, changes };
    });
    return { topic: 'twhin.engagement', partition: 3, from, until: next + rest, records };
  });

test('any stretch is read as it was written', () => {
  fc.assert(
    fc.property(stretch, (one) => {
      expect(decodeStretch(encodeStretch(one))).toEqual(one);
    }),
  );
});

const GOOD = {
  ...{ version: 2, topic: 't', partition: 0, from: 5, until: 9, relations: ['likes'] },
  changes: [
    [0, 1, 0, 'user:a', 'tweet:c', 1],
    [2, 1, -1, 'user:b', '', 2],
  ],
};
const [LIKE, ERASURE] = GOOD.changes;

test.each([
  ['no value', null, 'it has no value'],
  ['other bytes', Buffer.from('\u0000\u0001'), 'JSON'],
  ['another version', { ...GOOD, version: 1 }, 'version'],
  ['another field', { ...GOOD, more: 1 }, 'more'],
  ['a change that lacks a field', { ...GOOD, changes: [[0, 1, 0, 'user:a', 'tweet:c']] }, 'changes[0]'],
  ['an end before its start', { ...GOOD, until: 4, changes: [] }, 'it begins at 5, and ends before 4'],
  ['a record behind its end', { ...GOOD, until: 7 }, 'it has offset 7 after 5, and ends before 7'],
  ['records out of order', { ...GOOD, changes: [ERASURE, LIKE] }, 'it has offset 5 after 7'],
  ['an unknown relation', { ...GOOD, relations: [] }, 'it has no relation 0'],
  ['no entity', { ...GOOD, changes: [[0, 1, 0, 'user', 'tweet:c', 1]] }, 'not an entity: "user"'],
  ['an endless id', { ...GOOD, changes: [[0, 1, -1, `user:${'x'.repeat(257)}`, '', 1]] }, 'at most 256'],
  ['an offset that is no whole number', { ...GOOD, changes: [[0.5, 1, -1, 'user:b', '', 2]] }, 'int'],
])('%s is refused, with the reason', (_, value, reason) => {
  const bytes = value === null || Buffer.isBuffer(value) ? value : Buffer.from(JSON.stringify(value));
  expect(() => decodeStretch(bytes)).toThrow(`routed events can’t be read: `);
  expect(() => decodeStretch(bytes)).toThrow(reason);
});
