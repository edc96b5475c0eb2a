import { expect, it } from 'vitest';
import { AwaitedEntities } from '../../src/serve/awaited-entities.ts';
import { tweet } from './serve-fixture.ts';

it('awaits an entity until it is taken, with the newest time', () => {
  const awaited = new AwaitedEntities(() => 4);
  awaited.active(tweet(1), 30);
  awaited.active(tweet(1), 20);
  expect([awaited.take(tweet(1)), awaited.take(tweet(1)), awaited.take(tweet(2))]).toEqual([
    30,
    undefined,
    undefined,
  ]);
});

it('forgets the older half at once, and says how new that was', () => {
  const awaited = new AwaitedEntities(() => 4);
  for (const i of [1, 2, 3, 4]) awaited.active(tweet(i), i);
  expect(awaited.forgottenAt).toBe(0);
  awaited.active(tweet(5), 5);
  expect([awaited.forgottenAt, awaited.take(tweet(1)), awaited.take(tweet(2))]).toEqual([
    2,
    undefined,
    undefined,
  ]);
  // The older half, 3 and 4, are taken: nothing is left to forget.
  expect([awaited.take(tweet(3)), awaited.take(tweet(4))]).toEqual([3, 4]);
  for (const i of [6, 7]) awaited.active(tweet(i), i);
  expect(awaited.forgottenAt).toBe(2);
});
