import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, inject, test } from 'vitest';
import type { Head } from '../../src/graph/head.ts';
import { countHiggs, higgsLines } from '../fixtures/higgs.ts';
import { readStore, unlike } from './stored.ts';
import { lagOf } from './topic-ends.ts';
import { fold, readTopic, type TopicRecord } from './topic-reader.ts';
import { Twhin, until } from './twhin.ts';

const GRAPH = 'engagement';
const EVENTS = 10_000;
const RUN = ['run', '--graph', GRAPH, '--until-caught-up'];
let twhin: Twhin | undefined;

afterEach(async () => {
  await twhin?.remove();
  twhin = undefined;
});

/** Small commits, many negatives and a publishing that waits for the end: each stage lasts long enough to be met. */
const SLOW = `
  model: { dim: 64 },
  training: { batchEdges: 128, uniformNegatives: 1024 },
  commit: { everyEdges: 512, everyMs: 100 },
  publish: { epsilon: 1e6, maxAgeMs: 1e9 },
  limits: { maxEntities: 100_000, maxKnownEdges: 1_000_000 },`;

/** Starts a run and kills it once the store's head is as asked. Gives the head it left. */
async function killWhen(twhin: Twhin, what: string, met: (head: Head) => boolean): Promise<Head> {
  const run = twhin.start(RUN);
  await until(what, async () => {
    if (run.over) throw new Error(`the run ended before it was killed; waited for ${what}\n${run.stderr}`);
    const { head } = await readStore(twhin, GRAPH, true);
    return head !== undefined && met(head);
  });
  run.kill('SIGKILL');
  expect((await run.ended).signal).toBe('SIGKILL');
  const { head } = await readStore(twhin, GRAPH, true);
  if (head === undefined) throw new Error('the store lost its head');
  return head;
}

/** Keys whose step fell, or whose bytes changed under one step; the first few. */
function unsteady(records: readonly TopicRecord[]): string[] {
  const last = new Map<string | null, TopicRecord>();
  const found: string[] = [];
  for (const record of records) {
    const { key, value, headers } = record;
    const before = last.get(key);
    last.set(key, record);
    if (before === undefined) continue;
    const [was, is] = [Number(before.headers['step']), Number(headers['step'])];
    if (is < was) found.push(`${key}: step ${is} after ${was}`);
    if (is === was && !value?.equals(before.value ?? Buffer.alloc(0)))
      found.push(`${key}: two vectors of step ${is}`);
  }
  return found.slice(0, 10);
}

test('kill -9 before the first commit, in the middle and while publishing: as if nothing had happened', async () => {
  const brokers = inject('brokers');
  twhin = await Twhin.create(brokers, SLOW);
  const lines = higgsLines(EVENTS, 11);
  const expected = countHiggs(lines);
  const file = join(twhin.folder, 'events.txt');
  await writeFile(file, lines.join('\n'));
  await twhin.ok(['topics', 'apply']);
  await twhin.ok(['feed', file, '--topic', 'engagement', '--format', 'higgs']);

  const first = twhin.start(RUN);
  await first.says(/store is new/);
  first.kill('SIGKILL');
  expect((await first.ended).signal).toBe('SIGKILL');

  // At the first commits, so that most of the events are still to come on a busy machine too.
  const middle = await killWhen(twhin, 'a commit', ({ events }) => events.consumed > 0);
  expect(middle.events.consumed).toBeLessThan(EVENTS);
  expect(middle.step).toBeGreaterThan(0);

  const draining = twhin.start(RUN);
  draining.killOnceSaid(/waiting for the last vectors/);
  expect((await draining.ended).signal).toBe('SIGKILL');
  const { head: drained } = await readStore(twhin, GRAPH, true);
  expect(drained?.events.consumed).toBe(EVENTS);
  expect(drained?.outbox).toBeGreaterThan(0);

  await twhin.ok(RUN);
  const { edges, users, tweets, events, duplicate, late } = expected;
  const { head, vectors, edges: stored } = await readStore(twhin, GRAPH);
  expect(head).toMatchObject({
    edges,
    entities: { user: users, tweet: tweets },
    events: { consumed: events, rejected: 0, duplicate, late },
    outbox: 0,
  });
  expect(stored.length).toBe(expected.named.length);
  expect(stored.every((edge, i) => edge === expected.named[i])).toBe(true);
  const records = await readTopic(brokers, twhin.topic(`embeddings.${GRAPH}`));
  const topic = fold(records);
  expect(topic.size).toBe(users + tweets);
  expect(unlike(vectors, topic)).toEqual([]);
  expect(unsteady(records)).toEqual([]);
  expect(await lagOf(brokers, `${twhin.prefix}${GRAPH}`, [twhin.topic('engagement')])).toBe(0);
});
