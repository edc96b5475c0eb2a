import { expect, test } from 'vitest';
import { EntityIndex } from '../../src/graph/entity-index.ts';
import { packEntities, unpackEntities } from '../../src/graph/packed-entities.ts';
import { MODEL, tweet, user } from './graph-fixture.ts';

test('entities packed and unpacked are those that were: names, rows, counts and times, without those that are gone', () => {
  const index = new EntityIndex(4, MODEL.entityTypes);
  for (let n = 0; n < 100; n++) {
    const row = index.add(
      n % 3 === 0 ? tweet(`t${n}`) : user(n % 3 === 1 ? `u${n}` : `名前 ${n}`),
      1_000 + n,
    );
    index.saw(row, 5_000 - n);
    for (let i = 0; i < n % 4; i++) index.trained(row);
  }
  index.remove(user('u7'));
  index.remove(tweet('t99'));
  const other = new EntityIndex(104, MODEL.entityTypes);
  const seen: string[] = [];
  for (const [first, count] of [
    [0, 10],
    [10, 60],
    [70, 34],
  ] as const) {
    unpackEntities(packEntities(index, first, count), other, ({ row, type, updates }) =>
      seen.push(`${row} ${MODEL.entityTypes[type]} ${updates}`),
    );
  }
  const rows = Array.from({ length: 110 }, (_, row) => row);
  expect(rows.map((row) => other.record(row))).toEqual(rows.map((row) => index.record(row)));
  expect([other.size, other.nextRow, other.counts()]).toEqual([98, 104, index.counts()]);
  expect(other.find(user('名前 2'))).toBe(6);
  expect(other.find(user('u7'))).toBeUndefined();
  expect([seen[0], seen[1], seen[3], seen.length]).toEqual(['4 tweet 0', '5 user 1', '7 tweet 3', 98]);
});
