import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type EntityKey, entityKey } from '../../src/graph/entity.ts';
import { EntityIds } from '../../src/serve/entity-ids.ts';
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
