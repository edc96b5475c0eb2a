import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Condition, headline } from '../../src/watch/headline.ts';

const WELL: Condition = {
  graph: 'follow',
  phase: 'running',
  ready: true,
  reasons: [],
  unreadyMs: 0,
  lag: [],
  events: { consumed: 9 },
  committedAt: 1e12 - 1_000,
  latencyMs: { p50: 820, p99: 900 },
  outbox: 0,
  oldest: undefined,
  rejectedShare: 0,
  known: { count: 50, mrr: 0.3, hits10: 0.4, popularityMrr: 0.1, randomMrr: 0.01 },
  disk: { free: 1e12, size: 2e12 },
  now: 1e12,
};
const behind = (...lags: [records: number, seconds: number][]) => ({
  lag: lags.map(([records, seconds], partition) => ({ topic: 'twhin.follow', partition, records, seconds })),
});
const NO_LATENCY = { latencyMs: { p50: undefined, p99: undefined } };
const waiting = (vectors: number, ms: number) => ({ outbox: vectors, oldest: WELL.now - ms });
const MIB = 1024 ** 2;
const of = (condition: Partial<Condition>) => headline([{ ...WELL, ...condition }]);

describe('headline', () => {
  const healthy = 'ok: Healthy: vectors are 0.8 s behind';
  const starting = (phase: Condition['phase'], unreadyMs: number, ...reasons: string[]) => ({
    ...{ ready: false, phase, unreadyMs, reasons },
  });
  const lagging = 'web.views 6 is 1790178 s behind (240652 records), limits.readyLagMs is 60000';
  const disk = (free: number, size: number) => ({ disk: { free: free * MIB, size: size * MIB } });
  const worse = { ...WELL.known!, mrr: 0.02 };
  test.each<[said: string, ...Partial<Condition>[]]>([
    [healthy, {}, waiting(0, 12_000), { known: { ...worse, count: 49 } }],
    // Half of a small disk, and two hundredths of a large one.
    [healthy, disk(512, 1_024), disk(40_960, 2_048_000)],
    ['bad: follow: the disk has 512 MiB left', disk(512, 20_480)],
    ['bad: follow: the disk has 10,240 MiB left', disk(10_240, 2_048_000)],
    // The latency of the last vectors says nothing of now.
    ['ok: Healthy: up to date, idle for 28 s', { committedAt: WELL.now - 28_900 }],
    ['ok: Healthy: up to date, idle for 19 h', { committedAt: WELL.now - 71_000_000 }],
    [healthy, { committedAt: WELL.now - 28_000, ...behind([1, 2]) }],
    // As in a new process or after a promotion.
    ['ok: Healthy: up to date', { ...NO_LATENCY, committedAt: undefined }],
    [
      'ok: Healthy: waiting for the first event',
      { ...NO_LATENCY, committedAt: undefined, events: { consumed: 0 } },
    ],
    ['ok: Healthy: events that wait to be learned: 1,200', { ...NO_LATENCY, ...behind([1_200, 3]) }],
    ['ok: Healthy: vectors that wait to be published: 76,878', { ...NO_LATENCY, ...waiting(76_878, 0) }],
    ['warn: follow: not ready: it is loading', starting('loading', 5_000, 'it is loading')],
    ['bad: follow: not ready for 1.5 min: it is joining', starting('joining', 90_000, 'it is joining')],
    ['bad: follow: not ready: no answer', starting('running', 2_000, 'no answer')],
    // A first reading of 21 days.
    [
      'warn: follow: catching up: 240,652 records, 497.3 h behind',
      { ...starting('running', 600_000, lagging), ...behind([240_652, 1_790_178]) },
    ],
    ['warn: follow: catching up: 12,345 records, 1.6 min behind', behind([12_300, 95], [45, 9])],
    ['warn: follow: vectors have waited 12.0 s for their acknowledgement', waiting(9, 12_000)],
    ['warn: follow: 25 % of recent events are rejected: see the dead letters', { rejectedShare: 0.25 }],
    ['warn: follow: known entities are ranked no better than by popularity (MRR 0.020)', { known: worse }],
  ])('%s', (said, ...conditions) => {
    expect(conditions.map(of).map(({ level, text }) => `${level}: ${text}`)).toEqual(
      conditions.map(() => said),
    );
  });

  test('the worst graph decides; when all are well, the slowest that works does', () => {
    const late = { ...WELL, graph: 'engagement', latencyMs: { p50: 3_000, p99: 9_000 } };
    expect(headline([WELL, late])).toEqual({ level: 'ok', text: 'Healthy: vectors are 3.0 s behind' });
    const idle = { ...late, committedAt: WELL.now - 28_000 };
    expect(headline([WELL, idle]).text).toBe('Healthy: vectors are 0.8 s behind');
    const cut = { ...WELL, graph: 'b', ready: false, reasons: ['cut off'], unreadyMs: 1 };
    const warned = { ...WELL, graph: 'a', rejectedShare: 1 };
    expect(headline([WELL, warned, cut])).toMatchObject({ level: 'bad', text: 'b: not ready: cut off' });
    expect(headline([])).toMatchObject({ level: 'warn' });
  });

  test('every step of a headline is a section of the runbook', async () => {
    const runbook = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'runbook.md'), 'utf8');
    const sections = [...runbook.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    );
    const steps = [
      of({ ready: false }),
      of({ disk: { free: 0, size: 1 } }),
      of(waiting(1, 1e6)),
      headline([WELL], [{ graph: 'g', ready: false, reasons: [], unreadyMs: 0, rejectedShare: 0 }]),
    ].map(({ step }) => step);
    for (const step of steps) expect(sections).toContain(step);
  });

  test('events that are not routed to shards, or that routers reject, are told of as those of a graph are', () => {
    const router = { graph: 'g', ready: true, reasons: [], unreadyMs: 0, rejectedShare: 0.01 };
    expect(headline([WELL], [router])).toMatchObject({
      level: 'ok',
      text: expect.stringMatching(/^Healthy/),
    });
    expect(headline([WELL], [{ ...router, rejectedShare: 0.12 }])).toEqual({
      level: 'warn',
      text: 'g: 12 % of recent events are rejected: see the dead letters',
    });
    const stuck = { ...router, ready: false, reasons: ['it is joining the group'] };
    const step = 'twhinrouternotdelivering';
    expect(headline([WELL], [{ ...stuck, unreadyMs: 5_000 }])).toEqual({
      level: 'warn',
      text: 'g: this process routes nothing to the shards: it is joining the group',
      step,
    });
    expect(headline([WELL], [{ ...stuck, unreadyMs: 90_000 }])).toEqual({
      level: 'bad',
      text: 'g: this process routes nothing to the shards for 1.5 min: it is joining the group',
      step,
    });
  });

  test('a waiting standby is well', () => {
    const standby = of({ phase: 'standby', ready: false, reasons: ['it is standby'], unreadyMs: 1e9 });
    expect(standby.level).toBe('ok');
  });
});
