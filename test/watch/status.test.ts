import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { statusOf } from '../../src/watch/status.ts';
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
