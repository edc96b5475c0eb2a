import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import { countHiggs, type HiggsCounts, higgsEvents, higgsLines } from '../fixtures/higgs.ts';
import { deployed } from './deployed.ts';
import { readStore, unlike } from './stored.ts';
import { lagOf } from './topic-ends.ts';
import { fold, readTopic } from './topic-reader.ts';
import { HANGS_MS } from './twhin.ts';

const GRAPH = 'engagement';
const FEATURES = ['engagement', 'ad-click', 'search', 'erasure'];

/** The whole way of lines of the Higgs file at the default model, and everything that has to hold at its end. */
async function wholeWay(lines: readonly string[], expected: HiggsCounts, limitMs = HANGS_MS): Promise<void> {
  const brokers = inject('brokers');
  const at = await deployed('');
  const file = join(at.folder, 'higgs.ndjson');
  await writeFile(file, higgsEvents(lines));
  await at.ok(['topics', 'apply']);
  const fed = await at.json(['feed', file, '--topic', 'engagement'], { limitMs });
  expect(fed).toMatchObject({ sent: expected.events, bad: 0 });
  await at.ok(['run', '--graph', GRAPH, '--until-caught-up'], { limitMs });

  const { edges, users, tweets, events, duplicate, late } = expected;
  const none = { likes: 0, quotes: 0, clicks: 0, promotes: 0, searches: 0 };
  const stats = await at.json(['stats', '--graph', GRAPH, '--digest'], { limitMs });
  const found = Object(stats).graphs[GRAPH];
  expect(found).toMatchObject({
    entities: { user: users, tweet: tweets, ad: 0, advertiser: 0, query: 0 },
    edges: { ...none, ...edges },
    events: { consumed: events, rejected: 0, duplicate, late },
    outbox: 0,
    fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/),
    digest: {
      edges: expect.stringMatching(/^[0-9a-f]{16}$/),
      vectors: expect.stringMatching(/^[0-9a-f]{16}$/),
    },
  });
  const offsets: Record<string, number> = found.offsets[at.topic('engagement')];
  expect(Object.values(offsets).reduce((sum, offset) => sum + offset, 0)).toBe(events);

  const topics = FEATURES.map((name) => at.topic(name));
  expect(await lagOf(brokers, `${at.prefix}${GRAPH}`, topics)).toBe(0);

  const stored = await readStore(at, GRAPH);
  expect(stored.edges.length).toBe(expected.named.length);
  expect(stored.edges.every((edge, i) => edge === expected.named[i])).toBe(true);
  const topic = fold(await readTopic(brokers, at.topic(`embeddings.${GRAPH}`)));
  expect(topic.size).toBe(users + tweets);
  expect(unlike(stored.vectors, topic)).toEqual([]);
  const step = found.step;
  let vague = 0;
  for (const { value, headers } of topic.values()) {
    const numbers = Array.from({ length: 128 }, (_, i) => value?.readFloatLE(i * 4) ?? Number.NaN);
    const whole = value?.length === 512 && numbers.every(Number.isFinite) && numbers.some((x) => x !== 0);
    if (!whole || !(Number(headers['step']) > 0 && Number(headers['step']) <= step)) vague++;
  }
  expect(vague).toBe(0);
  const [{ headers } = { headers: {} }] = topic.values();
  expect(headers).toEqual({
    graph: GRAPH,
    dim: '128',
    epoch: expect.stringMatching(/^[1-9]\d*$/),
    space: expect.stringMatching(/^[0-9a-f]{16}$/),
    dtype: 'float32',
    step: expect.stringMatching(/^\d+$/),
    at: expect.stringMatching(/^13\d{11}$/),
    fingerprint: found.fingerprint,
  });

  // What `show` says is the same again, to the last bit.
  for (const key of [...topic.keys()].slice(0, 5)) {
    const shown = Object(await at.json(['show', key, '--graph', GRAPH]));
    expect(Float32Array.from(shown.vector)).toEqual(
      Float32Array.from(
        shown.vector,
        (_: unknown, i: number) => topic.get(key)?.value?.readFloatLE(i * 4) ?? 0,
      ),
    );
    const ends = (ending: RegExp) => expected.named.filter((edge) => ending.test(edge)).length;
    for (const relation of ['retweets', 'replies', 'mentions']) {
      expect(shown.edges[relation] ?? { out: 0, in: 0 }).toMatchObject({
        out: ends(new RegExp(`^${key} ${relation} `)),
        in: ends(new RegExp(` ${relation} ${key} `)),
      });
    }
    for (const near of Object.values<unknown[]>(shown.nearest)) expect(near.length).toBeLessThanOrEqual(10);
    expect(Object.values(shown.nearest).flat().length).toBeGreaterThanOrEqual(10);
  }
}

describe('from a file of events to vectors on the topic', () => {
  test('20,000 events: every count, every vector, byte for byte', async () => {
    const lines = higgsLines(20_000);
    const expected = countHiggs(lines);
    expect(expected.duplicate).toBeGreaterThan(100);
    expect(expected.late).toBeGreaterThan(100);
    await wholeWay(lines, expected);
  });
});
