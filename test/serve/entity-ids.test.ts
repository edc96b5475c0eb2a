import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type EntityKey, entityKey } from '../../src/graph/entity.ts';
import { AwaitedEntities, EntityIds, Forgotten } from '../../src/serve/entity-ids.ts';
import { tweet, user } from './serve-fixture.ts';

it('gives an entity one number for as long as somebody holds it, and the number again after that', () => {
  const ids = new EntityIds();
  const [a, b] = [ids.hold(user('a')), ids.hold(tweet('a'))];
  expect([a === b, ids.hold(user('a')), ids.find(user('a')), ids.size]).toEqual([false, a, a, 2]);
  ids.release(a);
  expect(ids.find(user('a'))).toBe(a);
  ids.release(a);
  expect([ids.find(user('a')), ids.find(tweet('a')), ids.size]).toEqual([-1, b, 1]);
  expect(() => ids.nameOf(a)).toThrow(TypeError);
  expect([ids.hold(user('c')), ids.nameOf(a)]).toEqual([a, user('c')]);
  expect(ids.find(entityKey('unknown', 'a'))).toBe(-1);
});

it('has the names of all that is held, whatever they are made of', () => {
  const id = fc.string({ unit: 'binary', minLength: 1, maxLength: 12 });
  const key = fc.tuple(fc.constantFrom('user', 'use', 'tweet'), id).map(([type, of]) => entityKey(type, of));
  fc.assert(
    fc.property(fc.array(fc.tuple(key, fc.boolean()), { maxLength: 60, size: 'max' }), (all) => {
      const ids = new EntityIds();
      const held = new Map<EntityKey, number>();
      for (const [name, holds] of all) {
        if (holds) {
          const number = ids.hold(name);
          expect(held.get(name) ?? number).toBe(number);
          held.set(name, number);
        } else if (held.has(name)) {
          while (ids.find(name) >= 0) ids.release(held.get(name)!);
          held.delete(name);
        }
      }
      for (const [name, number] of held) expect([ids.nameOf(number), ids.find(name)]).toEqual([name, number]);
      expect([ids.size, new Set(held.values()).size]).toEqual([held.size, held.size]);
    }),
  );
});

it('finds all that was forgotten, and hardly anybody else', () => {
  // 2^20 bits, four of them for each of 100,000: one other in a hundred is found, (1 - e^(-4 / 10.5))^4 = .0105.
  const forgotten = new Forgotten(2 ** 20);
  expect([forgotten.has(user(1)), forgotten.bytes]).toEqual([false, 0]);
  for (let i = 0; i < 100_000; i++) forgotten.add(user(i));
  const found = (from: number) => {
    let count = 0;
    for (let i = from; i < from + 100_000; i++) if (forgotten.has(user(i))) count++;
    return count;
  };
  expect([found(0), forgotten.bytes]).toEqual([100_000, 2 ** 17]);
  expect(found(1_000_000)).toBeGreaterThan(500);
  expect(found(1_000_000)).toBeLessThan(2_000);
});

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
