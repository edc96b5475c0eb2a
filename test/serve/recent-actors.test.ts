import { expect, it } from 'vitest';
import { RecentActors } from '../../src/serve/recent-actors.ts';
import { tweet, user } from './serve-fixture.ts';

const users = (...ids: number[]) => ids.map(user);

it('has the actors of a target, each once, those heard of last at the end', () => {
  const actors = new RecentActors(100);
  expect([actors.of(tweet(1)), actors.size]).toEqual([[], 0]);
  for (const id of [1, 1, 2, 3, 1, 2]) actors.add(tweet(1), user(id));
  actors.add(tweet(2), user(1));
  expect([actors.of(tweet(1)), actors.of(tweet(2)), actors.size]).toEqual([users(3, 1, 2), users(1), 4]);
});

it('has 50 of a target at most, and of all targets as many as said: the one that was quiet the longest goes', () => {
  const actors = new RecentActors(60);
  for (let id = 1; id <= 55; id++) actors.add(tweet(1), user(id));
  expect(actors.of(tweet(1))).toEqual(Array.from({ length: 50 }, (_, i) => user(i + 6)));
  for (let id = 1; id <= 10; id++) actors.add(tweet(id + 1), user(id));
  expect(actors.size).toBe(60);
  actors.add(tweet(1), user(55));
  actors.add(tweet(99), user(1));
  expect([actors.of(tweet(2)), actors.of(tweet(3)), actors.size]).toEqual([[], users(2), 60]);
  for (let id = 4; id <= 12; id++) actors.add(tweet(id), user(77));
  expect([actors.of(tweet(1)), actors.of(tweet(4)), actors.size]).toEqual([[], users(3, 77), 12]);
});
