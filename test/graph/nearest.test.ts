import { describe, expect, test } from 'vitest';
import { nearest } from '../../src/graph/nearest.ts';
import { commitRows, entity, FIRST_ROW, graph, tweet, user } from './graph-fixture.ts';

describe('nearest', () => {
  test('ranks every other entity by cosine, as a full sort does', async () => {
    const store = graph();
    // Angles all round, lengths of all sizes: the cosine is that of the angle between.
    const angles = Array.from({ length: 40 }, (_, i) => (i * 2.4 + i * i * 0.0131) % (2 * Math.PI));
    const vectors: Record<number, number[]> = { 0: [1, 0, 0, 0], 3: [1, 0, 0, 0] };
    const entities = angles.map((angle, i) => {
      const length = 0.1 + (i % 7);
      vectors[FIRST_ROW + i] = [length * Math.cos(angle), length * Math.sin(angle), 1, 0];
      return entity(i % 3 === 0 ? tweet(`t${i}`) : user(`u${i}`), FIRST_ROW + i);
    });
    await commitRows(store, { entities, vectors });
    for (const own of [0, 13, 39]) {
      const expected = angles
        .map((angle, i) => ({ entity: entities[i]!.key, score: Math.cos(angle - angles[own]!) }))
        .filter((_, i) => i !== own)
        .sort((a, b) => b.score - a.score)
        .slice(0, 10);
      const found = await nearest(store, FIRST_ROW + own, 10);
      expect(found.map(({ entity: key }) => key)).toEqual(expected.map(({ entity: key }) => key));
      found.forEach(({ score }, i) => {
        expect(score).toBeCloseTo(expected[i]!.score, 5);
      });
    }
    expect(await nearest(store, FIRST_ROW, 100)).toHaveLength(39);
    expect(await nearest(store, FIRST_ROW, 0)).toEqual([]);
  });

  test('leaves out vectors of zeros, relations and rows without an entity', async () => {
    const store = graph();
    await commitRows(store, {
      entities: [entity(user('a'), 4), entity(user('zero'), 5), entity(user('far'), 6)],
      vectors: { 1: [1, 0, 0, 0], 4: [1, 0, 0, 0], 5: [0, 0, 0, 0], 6: [-2, 0, 0, 0], 7: [1, 0, 0, 0] },
    });
    expect(await nearest(store, 4, 10)).toEqual([{ entity: 'user:far', score: -1 }]);
    expect(await nearest(store, 5, 10)).toEqual([]);
    expect(await nearest(store, 99, 10)).toEqual([]);
  });

  test('has the lower row first of equal scores, however many there are', async () => {
    const store = graph();
    const rows = Array.from({ length: 30 }, (_, i) => FIRST_ROW + i);
    await commitRows(store, {
      entities: rows.map((row) => entity(user(`${row}`), row)),
      vectors: Object.fromEntries(rows.map((row) => [row, row % 3 === 0 ? [1, 0, 1, 0] : [1, 1, 1, 0]])),
    });
    const found = await nearest(store, FIRST_ROW, 12);
    // Row 4 is of the second kind, and of the others 19 are.
    const alike = rows.filter((row) => row > FIRST_ROW && row % 3 !== 0);
    expect(found.map(({ entity: key }) => key)).toEqual(alike.slice(0, 12).map((row) => `user:${row}`));
  });
});
