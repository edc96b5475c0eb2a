import { expect, test } from 'vitest';
import { Layout } from '../../../src/graph/layout.ts';
import { PendingCommit, Unwritten } from '../../../src/pipeline/reading/unwritten.ts';
import { MODEL, user } from '../../graph/graph-fixture.ts';

const layout = new Layout(MODEL);
const id = (lhs: string, rhs: string) =>
  layout.edgeId({ lhs: user(lhs), relation: 'follows', rhs: user(rhs) });
const one = { at: 1, removed: false };
const two = { at: 2, removed: true };
const letter = { topic: 'dead-letter', key: 'k', value: Buffer.from('bad'), headers: {} };

test('an edge stays until its commit is written and the next reads begin', () => {
  const unwritten = new Unwritten();
  unwritten.open.edges.set('x', one);
  const first = unwritten.close();
  unwritten.prune();
  expect(unwritten.get('x')).toEqual(one);
  unwritten.written(first.number);
  // A read that began before the write may still be under way.
  expect(unwritten.get('x')).toEqual(one);
  unwritten.prune();
  expect(unwritten.get('x')).toBeUndefined();
});

test('an edge that changes again belongs to the later commit', () => {
  const unwritten = new Unwritten();
  unwritten.open.edges.set('x', one);
  unwritten.open.edges.set('y', one);
  const first = unwritten.close();
  unwritten.open.edges.set('x', null);
  const second = unwritten.close();
  unwritten.written(first.number);
  unwritten.prune();
  // null: erased, which is not the same as unknown.
  expect([unwritten.get('x'), unwritten.get('y')]).toEqual([null, undefined]);
  unwritten.written(second.number);
  unwritten.prune();
  expect(unwritten.get('x')).toBeUndefined();
});

test('a prune before a commit is written does not keep its edges for ever', () => {
  const unwritten = new Unwritten();
  unwritten.open.edges.set('x', one);
  const first = unwritten.close();
  unwritten.open.edges.set('y', two);
  unwritten.prune();
  unwritten.written(first.number);
  unwritten.prune();
  expect([unwritten.get('x'), unwritten.get('y')]).toEqual([undefined, two]);
  unwritten.written(unwritten.close().number);
  unwritten.prune();
  expect(unwritten.get('y')).toBeUndefined();
});

test('finds the edges that touch an entity at either end, each in its newest state', () => {
  const unwritten = new Unwritten();
  const all = [id('a', 'b'), id('c', 'a'), id('a', 'a'), id('b', 'ab')];
  for (const each of all) unwritten.open.edges.set(each, one);
  unwritten.close();
  unwritten.open.edges.set(all[1]!, null);
  expect([...unwritten.of(user('a'), layout)]).toEqual([
    [all[1], null],
    [all[0], one],
    [all[2], one],
  ]);
});

test('a pending commit counts what it holds', () => {
  const pending = new PendingCommit(1);
  pending.edges.set('x', null);
  pending.edges.set('y', one);
  pending.putDeadLetter(letter);
  pending.putDeadLetter({ ...letter, value: null });
  pending.erasures.set(user('a'), 1);
  expect([pending.held, pending.deadLetterBytes]).toEqual([5, 3]);
});
