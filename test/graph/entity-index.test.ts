import { describe, expect, test } from 'vitest';
import { EntityIndex } from '../../src/graph/entity-index.ts';
import { entity, tweet, user } from './graph-fixture.ts';

describe('EntityIndex', () => {
  test('hands out rows upwards and never the same twice', () => {
    const index = new EntityIndex(4);
    expect([index.add(user('a'), 10), index.add(tweet('a'), 20)]).toEqual([4, 5]);
    index.remove(user('a'));
    expect([index.find(user('a')), index.keyAt(4), index.record(4)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(index.add(user('a'), 30)).toBe(6);
    expect([index.size, index.nextRow, index.keyAt(6), index.find(tweet('a'))]).toEqual([2, 7, 'user:a', 5]);
    expect(index.counts()).toEqual({ user: 1, tweet: 1 });
    index.remove(user('nobody'));
    expect(index.counts()).toEqual({ user: 1, tweet: 1 });
  });

  test('notes first and last times, whichever comes first, and trained edges', () => {
    const index = new EntityIndex(0);
    const row = index.add(user('a'), 50);
    index.saw(row, 70);
    index.saw(row, 40);
    index.saw(row, 60);
    index.trained(row);
    index.trained(row);
    expect(index.record(row)).toEqual({ key: 'user:a', row: 0, updates: 2, firstSeen: 40, lastSeen: 70 });
    index.reset(row, 90);
    expect(index.record(row)).toEqual({ key: 'user:a', row: 0, updates: 0, firstSeen: 90, lastSeen: 90 });
    for (const note of [() => index.saw(9, 1), () => index.trained(9), () => index.reset(9, 1)]) note();
    expect(index.size).toBe(1);
  });

  test('puts back what a store held, in any order, and goes on after the highest row', () => {
    const index = new EntityIndex(4);
    const stored = entity(user('b'), 9, { updates: 3 });
    index.restore(stored);
    index.restore(entity(user('a'), 6));
    index.trained(9);
    expect(stored.updates).toBe(3);
    expect(index.record(9)?.updates).toBe(4);
    expect([index.nextRow, index.add(user('c'), 1)]).toEqual([10, 10]);
    expect(index.counts()).toEqual({ user: 3 });
  });
});
