import { expect, test } from 'vitest';
import { KnownPositives } from '../../src/sampling/known-positives.ts';
import { Random } from '../../src/sampling/random.ts';
import { rehearse } from '../../src/sampling/rehearsal.ts';

const fresh = { lhs: Int32Array.of(1, 2), relation: Int32Array.of(0, 1), rhs: Int32Array.of(3, 4) };

function known() {
  const positives = new KnownPositives({ maxRows: 10, maxEdges: 10 });
  for (const [lhs, relation, rhs] of [
    [1, 0, 3],
    [2, 1, 4],
    [7, 0, 8],
  ] as const)
    positives.add(lhs, relation, rhs);
  return positives;
}

test('puts each new edge before those rehearsed with it', () => {
  const { edges, every } = rehearse(fresh, known(), 3, Random.seeded(1));
  expect([every, edges.lhs.length, edges.relation.length, edges.rhs.length]).toEqual([3, 6, 6, 6]);
  expect([edges.lhs[0], edges.relation[0], edges.rhs[0]]).toEqual([1, 0, 3]);
  expect([edges.lhs[3], edges.relation[3], edges.rhs[3]]).toEqual([2, 1, 4]);
  const twin = known();
  const random = Random.seeded(1);
  for (const i of [1, 2, 4, 5]) {
    const drawn = twin.draw(random);
    expect([edges.lhs[i], edges.relation[i], edges.rhs[i]]).toEqual([drawn.lhs, drawn.relation, drawn.rhs]);
  }
});

test('draws nothing where each edge is trained once, or none is remembered', () => {
  const random = Random.seeded(1);
  const before = random.state();
  expect(rehearse(fresh, known(), 1, random)).toEqual({ edges: fresh, every: 1 });
  const forgetful = new KnownPositives({ maxRows: 10, maxEdges: 0 });
  expect(rehearse(fresh, forgetful, 4, random)).toEqual({ edges: fresh, every: 1 });
  expect(random.state()).toEqual(before);
});
