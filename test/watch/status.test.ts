import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { silentLog } from '../../src/log.ts';
import { Rejections } from '../../src/pipeline/rejections.ts';
import { routerStatusOf, statusOf } from '../../src/watch/status.ts';
import { MemoryStore } from '../graph/memory-store.ts';
import { MemoryLog } from '../pipeline/memory-log.ts';
import { updater } from '../pipeline/updater-fixture.ts';

test('the status of a graph is its progress, without what rejected records held', async () => {
  const [graph] = (await loadConfig({}, '/nowhere')).graphs;
  const idle = updater(new MemoryLog(), new MemoryStore());
  const rejected = [
    {
      ...{ code: 'not-json', message: 'seen "secret"', topic: 'twhin.follow', partition: 0, offset: 7 },
      ...{ timestamp: 1, preview: Buffer.from('secret') },
    },
  ];
  const progress = { ...idle.progress(), rejected };
  const run = {
    graph: graph!,
    updater: { progress: () => progress, lag: () => [], unready: async () => [], sample: async () => [] },
    storeMemory: async () => undefined,
  };
  const readiness = { graph: graph!.name, ready: false, phase: 'loading', reasons: ['it is loading'] };
  const told = statusOf(readiness, run, undefined);
  await idle.close();
  const { rejected: _, ...shown } = progress;
  expect(told).toMatchObject({
    ...shown,
    ...readiness,
    maxRows: graph!.trainer.maxRows,
    kernel: graph!.trainer.kernel,
  });
  expect(JSON.stringify(told)).not.toContain('secret');
});

test('the status of a router is what it routed and what waits; it joins while it has no part', () => {
  const router = {
    graph: 'g',
    counts: { records: 9, sent: 12, bytes: 300 },
    rejections: new Rejections({ graph: 'g', topics: ['twhin.search'], log: silentLog, clock: () => 0 }),
    ...{ partitions: 3, retries: 1, codes: [] },
    lag: () => [{ topic: 'twhin.search', partition: 4, records: 7, seconds: undefined }],
    unready: () => [],
  };
  expect(routerStatusOf(router)).toEqual({
    ...{ graph: 'g', ready: true, phase: 'routing', reasons: [], partitions: 3, events: 9, retries: 1 },
    ...{ rejectedBy: { 'twhin.search': {} }, sent: 12, sentBytes: 300 },
    lag: [{ topic: 'twhin.search', partition: 4, records: 7 }],
  });
  const joining = { ...router, partitions: undefined, unready: () => ['it is joining the group'] };
  expect(routerStatusOf(joining)).toMatchObject({
    ready: false,
    phase: 'joining',
    reasons: joining.unready(),
  });
});
