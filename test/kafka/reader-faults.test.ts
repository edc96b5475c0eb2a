import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Broker, startBroker } from '../../broker/start.ts';
import { connect, type LogConnection } from '../../src/adapters/connect.ts';
import type { SourceRecord, StretchCursor, Trouble } from '../../src/pipeline/ports.ts';
import { take } from '../adapters/reader-conformance.ts';
import { disorder, freshTopic, numbered, numbersOf, until } from './collector.ts';

const COUNT = 30_000;

/** A broker of its own: these tests kill it. */
describe('kill -9 of the broker under a reader', () => {
  let broker: Broker;
  let dir: string;
  let log: LogConnection;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'twhin-reader-faults-'));
    broker = await startBroker({ dir, env: { ...process.env, KAFKA_BROKERS: '' } });
    log = await connect({ brokers: [broker.brokers], clientId: 'reader-faults' });
  });
  afterAll(async () => {
    await log?.close();
    await broker?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  test('cursors wait, report, and continue where they stopped: no record is lost or repeated', async () => {
    const topic = freshTopic('faults');
    await log.admin().create([{ name: topic, partitions: 3, configs: {} }]);
    const sink = log.sink({ giveUpMs: 60_000 });
    for (let n = 0; n < COUNT; n += 3000) await sink.publish(numbered(topic, 3000, 30, n));
    const troubles: Trouble[] = [];
    const reader = log.log({
      aheadBytes: 30_000,
      fetchBytes: 15_000,
      onTrouble: (one) => troubles.push(one),
    });
    const ranges = await reader.ranges([topic]);
    expect(ranges.reduce((sum, { high }) => sum + high, 0)).toBe(COUNT);
    const tail = Number.MAX_SAFE_INTEGER;
    const reading = await reader.read(
      ranges.map(({ partition, low }) => ({ topic, partition, from: low, until: tail })),
    );

    const records: SourceRecord[] = [];
    let down = false;
    const read = async (cursor: StretchCursor) => {
      for (;;) {
        records.push(...((await cursor.next()) ?? []));
        // As slow as training, so that the kills come in the middle.
        if (!down) await sleep(5);
      }
    };
    const reads = reading.cursors.map((cursor) => read(cursor).catch((error: unknown) => error));
    for (const at of [COUNT / 4, COUNT / 2]) {
      await until(`${at} records`, () => records.length >= at);
      down = true;
      const before = troubles.length;
      await broker.kill();
      await until('a report', () => troubles.length > before + 1);
      await expect(reader.ranges([topic])).rejects.toMatchObject({ code: 'broker-unreachable' });
      down = false;
      await broker.restart();
    }
    await until('all that was there', () => records.length >= COUNT);
    // At the end of the log, the reader waits through a third kill.
    await broker.kill();
    await broker.restart();
    await sink.publish(numbered(topic, 300, 30, COUNT));
    await sink.stop();
    await until('what came later', () => records.length >= COUNT + 300);
    await reader.close();
    for (const error of await Promise.all(reads)) expect(error).toMatchObject({ code: 'stopped' });

    expect(records.length).toBe(COUNT + 300);
    expect(new Set(numbersOf(records)).size).toBe(COUNT + 300);
    expect(disorder(records)).toEqual([]);
    expect(troubles[0]).toMatchObject({ brokers: broker.brokers, attempt: 1 });
    expect(troubles[1]).toMatchObject({ attempt: 2, since: troubles[0]?.since });
  });

  test('closed while the broker is away, a waiting call fails with `stopped`', async () => {
    const topic = freshTopic('closed');
    await log.admin().create([{ name: topic, partitions: 1, configs: {} }]);
    const sink = log.sink();
    await sink.publish(numbered(topic, 1, 1));
    await sink.stop();
    const troubles: Trouble[] = [];
    const reader = log.log({ onTrouble: (one) => troubles.push(one) });
    const reading = await reader.read([{ topic, partition: 0, from: 0, until: 2 }]);
    expect((await take(reading.cursors[0], 1)).length).toBe(1);
    const waiting = reading.cursors[0]?.next().catch((error: unknown) => error);
    await broker.kill();
    await until('a report', () => troubles.length > 0);
    await reading.close();
    expect(await waiting).toMatchObject({ code: 'stopped' });
    await reader.close();
    await broker.restart();
  });
});
