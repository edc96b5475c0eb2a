import { expect, test } from 'vitest';
import type { EdgeChange } from '../../../src/graph/edge.ts';
import { entityKey } from '../../../src/graph/entity.ts';
import { edgeId, PendingCommit, Unwritten } from '../../../src/pipeline/reading/unwritten.ts';

const edge = (lhs: string, rhs: string, at = 1): EdgeChange => ({
  lhs: entityKey('user', lhs),
  relation: 'follows',
  rhs: entityKey('user', rhs),
  at,
  removed: false,
});
const letter = { topic: 'dead-letter', key: 'k', value: Buffer.from('bad'), headers: {} };

test('an edge stays until its commit is written and the next reads begin', () => {
  const unwritten = new Unwritten();
  unwritten.open.putEdge('x', edge('a', 'b'));
  const first = unwritten.close();
  unwritten.prune();
  expect(unwritten.get('x')).toEqual(edge('a', 'b'));
  unwritten.written(first.number);
  // A read that began before the write may still be under way.
  expect(unwritten.get('x')).toEqual(edge('a', 'b'));
  unwritten.prune();
  expect([unwritten.get('x'), unwritten.size]).toEqual([undefined, 0]);
});

test('an edge that changes again belongs to the later commit', () => {
  const unwritten = new Unwritten();
  unwritten.open.putEdge('x', edge('a', 'b'));
  unwritten.open.putEdge('y', edge('a', 'c'));
  const first = unwritten.close();
  unwritten.open.eraseEdge('x', edge('a', 'b'));
  const second = unwritten.close();
  expect([...first.changedEdges()]).toEqual([edge('a', 'b'), edge('a', 'c')]);
  expect([...second.erasedEdges()]).toMatchObject([{ lhs: 'user:a', rhs: 'user:b' }]);
  unwritten.written(first.number);
  unwritten.prune();
  // null: erased, which is not the same as unknown.
  expect([unwritten.get('x'), unwritten.get('y'), unwritten.size]).toEqual([null, undefined, 1]);
  unwritten.written(second.number);
  unwritten.prune();
  expect([unwritten.get('x'), unwritten.size]).toEqual([undefined, 0]);
});

test('a prune before a commit is written does not keep its edges for ever', () => {
  const unwritten = new Unwritten();
  unwritten.open.putEdge('x', edge('a', 'b'));
  const first = unwritten.close();
  unwritten.open.putEdge('y', edge('a', 'c', 2));
  unwritten.prune();
  unwritten.written(first.number);
  unwritten.prune();
  expect([unwritten.get('x'), unwritten.get('y')]).toEqual([undefined, edge('a', 'c', 2)]);
  unwritten.written(unwritten.close().number);
  unwritten.prune();
  expect(unwritten.size).toBe(0);
});

test('finds the edges that touch an entity at either end, each in its newest state', () => {
  const unwritten = new Unwritten();
  const all = [edge('a', 'b'), edge('c', 'a'), edge('a', 'a'), edge('b', 'ab')];
  for (const each of all) unwritten.open.putEdge(edgeId(each), each);
  unwritten.close();
  unwritten.open.eraseEdge(edgeId(all[1]!), all[1]!);
  expect([...unwritten.of(entityKey('user', 'a'))]).toEqual([
    { id: 'user:c\nfollows\nuser:a', change: null },
    { id: 'user:a\nfollows\nuser:b', change: all[0] },
    { id: 'user:a\nfollows\nuser:a', change: all[2] },
  ]);
});

test('a pending commit holds the last that was said of an edge, and counts what it holds', () => {
  const pending = new PendingCommit(1);
  pending.putEdge('x', edge('a', 'b'));
  pending.eraseEdge('x', edge('a', 'b'));
  pending.putEdge('y', edge('a', 'c'));
  pending.eraseEdge('y', edge('a', 'c'));
  pending.putEdge('y', edge('a', 'c', 2));
  const { lhs, relation, rhs } = edge('a', 'b');
  expect([[...pending.changedEdges()], [...pending.erasedEdges()]]).toEqual([
    [edge('a', 'c', 2)],
    [{ lhs, relation, rhs, erased: true }],
  ]);
  pending.putDeadLetter(letter);
  pending.putDeadLetter({ ...letter, value: null });
  pending.erasures.set(entityKey('user', 'a'), 1);
  expect([pending.held, pending.deadLetterBytes]).toEqual([5, 3]);
});
