import { describe, expect, test } from 'vitest';
import { status } from '../../../../src/adapters/http/status.ts';
import { statusOf } from '../../../../src/cli/run/watch/status.ts';
import { loadConfig } from '../../../../src/config/load.ts';
import type { Progress } from '../../../../src/pipeline/progress.ts';
import { MemoryStore } from '../../../graph/memory-store.ts';
import { MemoryLog } from '../../../pipeline/memory-log.ts';
import { updater } from '../../../pipeline/updater-fixture.ts';

const COUNTS = {
  sentGradients: 1,
  sentVectors: 2,
  sentBytes: 3,
  receivedGradients: 4,
  receivedVectors: 5,
  repeatedGradients: 6,
  strayGradients: 7,
  unreadable: 8,
  waiting: 9,
  copies: 7,
  asked: 4,
};

/** The status of a graph with this exchange, as a reader of /api/status gets it. */
async function answered(exchange: Progress['exchange']) {
  const [graph] = (await loadConfig({}, '/nowhere')).graphs;
  if (graph === undefined) throw new Error('no graph');
  const idle = updater(new MemoryLog(), new MemoryStore());
  const run = {
    graph,
    updater: {
      progress: () => ({ ...idle.progress(), exchange }),
      lag: () => [],
      unready: async () => [],
      sample: async () => [],
    },
    storeMemory: async () => undefined,
  };
  const readiness = { graph: graph.name, ready: true, phase: 'running', reasons: [] };
  const told = statusOf(readiness, run, { disk: undefined, starts: [], now: 1_000 });
  await idle.close();
  return status.shape.graphs.element.parse(JSON.parse(JSON.stringify(told))).exchange;
}

describe('the status', () => {
  test('of a shard has what it and the others sent each other, and when each was last heard of', async () => {
    const exchange = {
      ...COUNTS,
      peers: [
        { shard: 0, heardAt: 900, silentSince: 900 },
        { shard: 2, heardAt: undefined, silentSince: 500 },
      ],
      vectorAgeMs: { p50: 10, p99: undefined },
    };
    expect(await answered(exchange)).toEqual({
      ...COUNTS,
      peers: [{ shard: 0, heardAt: 900 }, { shard: 2 }],
      vectorAgeMs: { p50: 10 },
    });
  });

  test('of a whole graph has nothing of shards', async () => {
    expect(await answered(undefined)).toBeUndefined();
  });
});
