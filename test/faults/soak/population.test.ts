import { expect, test } from 'vitest';
import { Dice } from '../dice.ts';
import type { LoadRecord } from '../load/load.ts';
import { GRAPHS, type GraphName, truthOf } from '../verifier/truth.ts';
import { Population } from './population.ts';

const SIZE = {
  users: 60,
  tweets: 30,
  ads: 10,
  queries: 20,
  follows: 12,
  engagements: 6,
  clicks: 1,
  searches: 1,
};
const NOW = 1_800_000_000_000;

/** What a graph must hold after them, worked out by the verifier's own means. */
function worldOf(graph: GraphName, records: readonly LoadRecord[]) {
  const log = records.map(({ topic, key, value, code }, offset) => ({
    ...{ topic, key, partition: 0, offset, value: value === null ? null : Buffer.from(value) },
    headers: code === undefined ? {} : { code },
  }));
  const { entities, edges } = truthOf(graph, '', log, ({ headers }) => headers['code'] !== undefined);
  const live = [...edges.values()].filter(({ removed }) => !removed).length;
  return { entities: entities.possible.size, known: edges.size, live };
}

test('a world is full once it is filled, and neither grows nor shrinks from there', () => {
  let now = NOW;
  const population = new Population(new Dice(7), SIZE, () => now);
  const records = population.fill();
  const full = Object.keys(GRAPHS).map((graph) => (graph === 'follow' ? 'follow' : 'engagement'));
  const filled = full.map((graph) => worldOf(graph, records));
  expect(filled).toEqual([
    { entities: 60 + 30 + 20 + 10 + 10, known: expect.any(Number), live: expect.any(Number) },
    { entities: 60 + 10 + 10, known: 60 * 12 + 60 + 10, live: expect.any(Number) },
  ]);
  const times = records.map(({ value }) => JSON.parse(String(value)).at);
  expect(Math.max(...times)).toBeLessThan(NOW);
  expect(times).toEqual(times.toSorted((a, b) => a - b));

  for (let made = 0; made < 20_000; made++) {
    now += 3;
    records.push(population.next());
  }
  expect(records.map(({ n }) => n)).toEqual(records.map((_, n) => n));
  const later = full.map((graph) => worldOf(graph, records));
  expect(later.map(({ entities, known }) => ({ entities, known }))).toEqual(
    filled.map(({ entities, known }) => ({ entities, known })),
  );
  for (const [i, { live }] of later.entries()) {
    const before = filled[i]?.live ?? 0;
    // 830 edges, of which each that can be undone is there with a chance of ten in thirteen.
    expect(Math.abs(live - before)).toBeLessThan(before * 0.12);
  }
  expect(records.some(({ code }) => code === 'not-json')).toBe(true);
  expect(new Set(records.map(({ topic }) => topic))).toEqual(
    new Set(['follow', 'engagement', 'ad-click', 'search']),
  );
});
