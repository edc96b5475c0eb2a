import { afterEach, expect, it } from 'vitest';
import type { LogConnection } from '../../../src/adapters/connect.ts';
import { VectorServer } from '../../../src/cli/serve/vector-server.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { silentLog } from '../../../src/log.ts';
import { memoryReader } from '../../pipeline/memory-reader.ts';

const servers: VectorServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

const unused = () => {
  throw new Error('not used by serve');
};

it('questions of a process that merges lists are answered with --partitions alone', async () => {
  const config = await loadConfig({}, import.meta.dirname);
  const connection: LogConnection = {
    ...{
      describe: 'memory',
      leadership: unused,
      shares: unused,
      sink: unused,
      admin: unused,
      close: async () => undefined,
    },
    log: () => memoryReader({ records: [] }, { anyTopic: true }),
  };
  const statusOf = async (partitions?: readonly number[]) => {
    const server = await VectorServer.begin(
      config,
      config.graphs,
      { host: '127.0.0.1', port: 0 },
      {
        ...{
          connection,
          log: silentLog,
          edgesOfOne: 10,
          edges: 100,
          adsOfOne: 2,
          threads: 0,
          failed: unused,
        },
        ...(partitions && { partitions }),
      },
    );
    servers.push(server);
    const headers = { 'content-type': 'application/json' };
    return (await fetch(`${server.url}/shard/state`, { method: 'POST', headers, body: '{}' })).status;
  };
  // Nothing is read yet, so who has the path says 503.
  expect([await statusOf(), await statusOf([0])]).toEqual([404, 503]);
});
