import { expect, test } from 'vitest';
import type { EdgeName } from '../../../src/graph/edge.ts';
import { entityKey } from '../../../src/graph/entity.ts';
import { edgeId, Overlay } from '../../../src/pipeline/reading/overlay.ts';

const edge = (lhs: string, rhs: string): EdgeName => ({
  lhs: entityKey('user', lhs),
  relation: 'follows',
  rhs: entityKey('user', rhs),
});
const state = (at: number) => ({ at, removed: false });

test('an entry stays until its commit is written and the next reads begin', () => {
  const overlay = new Overlay();
  overlay.set('x', edge('a', 'b'), state(1));
  const first = overlay.close();
  overlay.prune();
  expect(overlay.get('x')).toEqual(state(1));
  overlay.written(first);
  // A read that began before the write may still be under way.
  expect(overlay.get('x')).toEqual(state(1));
  overlay.prune();
  expect([overlay.get('x'), overlay.size]).toEqual([undefined, 0]);
});

test('an entry set again belongs to the later commit', () => {
  const overlay = new Overlay();
  overlay.set('x', edge('a', 'b'), state(1));
  overlay.set('y', edge('a', 'c'), state(1));
  const first = overlay.close();
  overlay.set('x', edge('a', 'b'), null);
  const second = overlay.close();
  overlay.written(first);
  overlay.prune();
  // null: forgotten, which is not the same as unknown.
  expect([overlay.get('x'), overlay.get('y'), overlay.size]).toEqual([null, undefined, 1]);
  overlay.written(second);
  overlay.prune();
  expect([overlay.get('x'), overlay.size]).toEqual([undefined, 0]);
});

test('a prune before a commit is written does not keep its entries for ever', () => {
  const overlay = new Overlay();
  overlay.set('x', edge('a', 'b'), state(1));
  const first = overlay.close();
  overlay.set('y', edge('a', 'c'), state(2));
  overlay.prune();
  overlay.written(first);
  overlay.prune();
  expect([overlay.get('x'), overlay.get('y')]).toEqual([undefined, state(2)]);
  overlay.written(overlay.close());
  overlay.prune();
  expect(overlay.size).toBe(0);
});

test('finds the entries that touch an entity at either end', () => {
  const overlay = new Overlay();
  for (const each of [edge('a', 'b'), edge('c', 'a'), edge('a', 'a'), edge('b', 'ab')]) {
    overlay.set(edgeId(each), each, state(1));
  }
  expect([...overlay.of('user:a')].map(({ id }) => id)).toEqual([
    'user:a\nfollows\nuser:b',
    'user:c\nfollows\nuser:a',
    'user:a\nfollows\nuser:a',
  ]);
});
