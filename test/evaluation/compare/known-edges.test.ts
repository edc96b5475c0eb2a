import { describe, expect, test } from 'vitest';
import { KnownEdges } from '../../../src/evaluation/compare/quality.ts';
import type { EntityKey } from '../../../src/graph/entity.ts';
import { edge } from './fixture.ts';

const keys = (...names: string[]) => names as EntityKey[];

describe('KnownEdges', () => {
  test('keeps the candidates that are positives of a question, for both ends', () => {
    const held = [edge('user:1 follows user:2')];
    const known = new KnownEdges(held, keys('user:2', 'user:3', 'user:4', 'user:5'));
    for (const text of [
      'user:1 follows user:3',
      'user:1 likes user:4',
      'user:5 follows user:2',
      'user:4 follows user:1',
      'user:1 follows user:6',
    ]) {
      known.saw(edge(text));
    }
    // 2 is the held-back end; 6 is not a candidate; 4 has other edges.
    expect([...known.positives('rhs', held[0]!)]).toEqual(['user:2', 'user:3']);
    expect([...known.positives('lhs', held[0]!)]).toEqual(['user:5']);
    expect([...known.positives('rhs', edge('user:7 follows user:2'))]).toEqual([]);
  });

  test('treats held-back edges as positives', () => {
    const held = [
      edge('user:1 follows user:2'),
      edge('user:1 follows user:3'),
      edge('user:4 follows user:3'),
    ];
    const known = new KnownEdges(held, keys('user:1', 'user:3'));
    expect([...known.positives('rhs', held[0]!)]).toEqual(['user:3']);
    expect([...known.positives('lhs', held[2]!)]).toEqual(['user:1']);
  });

  test('counts edges of candidates and of held-back ends, by relation and end', () => {
    const known = new KnownEdges([edge('user:1 follows user:2')], keys('user:3'));
    for (const text of [
      'user:9 follows user:2',
      'user:8 follows user:2',
      'user:2 follows user:3',
      'user:9 likes user:3',
    ]) {
      known.saw(edge(text));
    }
    expect(known.degree('rhs', 'follows', keys('user:2')[0]!)).toBe(2);
    expect(known.degree('lhs', 'follows', keys('user:2')[0]!)).toBe(1);
    expect(known.degree('rhs', 'follows', keys('user:3')[0]!)).toBe(1);
    expect(known.degree('rhs', 'likes', keys('user:3')[0]!)).toBe(1);
    expect(known.degree('lhs', 'follows', keys('user:1')[0]!)).toBe(0);
  });
});
