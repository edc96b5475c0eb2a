import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../../broker/cluster.ts';
import { connect } from '../../src/adapters/connect.ts';
import { RetryableError } from '../../src/errors/errors.ts';
import type { PartitionRange, SourceRecord } from '../../src/pipeline/ports.ts';
import { until } from '../e2e/twhin.ts';
import { disorder, freshTopic, numbered, numbersOf } from './collector.ts';

const SLICE = 3000;

let cluster: Cluster;
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'twhin-reader-cluster-'));
  cluster = await startCluster({ dir });
});
afterAll(async () => {
  await cluster?.stop();
  await rm(dir, { recursive: true, force: true });
});

test('while each of three brokers is killed in turn, reading follows the leaders: no record is lost or repeated', async () => {
  const log = await connect({ brokers: cluster.brokers.split(','), clientId: 'reader-cluster' });
  const topic = freshTopic('cluster');
  await log.admin().create([{ name: topic, partitions: 6, configs: {} }]);
  const sink = log.sink({ giveUpMs: 60_000 });
  const reader = log.log({ aheadBytes: 60_000, fetchBytes: 20_000 });
  let ranges: PartitionRange[] = [];
  // A broker may not know a partition yet that it has just begun to lead.
  await until('leaders that know it', async () => {
    ranges = await reader.ranges([topic]).catch((error: unknown) => {
      if (error instanceof RetryableError) return [];
      throw error;
    });
    return ranges.length === 6;
  });
  const reading = await reader.read(
    ranges.map(({ partition }) => ({ topic, partition, from: 0, until: Number.MAX_SAFE_INTEGER })),
  );
  const records: SourceRecord[] = [];
  const reads = reading.cursors.map(async (cursor) => {
    for (let some = await cursor.next(); some !== undefined; some = await cursor.next())
      records.push(...some);
  });
  const ends = Promise.allSettled(reads);
  let written = 0;
  const write = async () => {
    await sink.publish(numbered(topic, SLICE, 60, written));
    written += SLICE;
  };
  await write();
  for (const node of cluster.nodes) {
    await node.kill();
    // Read while this broker is away: its partitions have other leaders.
    await write();
    await until('what was written meanwhile', () => records.length === written);
    await node.restart();
    await write();
    await until('what was written after', () => records.length === written);
  }
  await sink.stop();
  await reader.close();
  for (const end of await ends) {
    expect(end).toMatchObject({ status: 'rejected', reason: { code: 'stopped' } });
  }
  await log.close();
  expect(records.length).toBe(7 * SLICE);
  expect(new Set(numbersOf(records)).size).toBe(7 * SLICE);
  expect(disorder(records)).toEqual([]);
});
