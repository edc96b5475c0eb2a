import { execFile } from 'node:child_process';
import { mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, afterEach, describe, expect, inject, test } from 'vitest';
import { startBroker } from '../../broker/start.ts';
import { KafkaAdmin, KafkaLog } from '../../src/adapters/kafka/kafka.ts';
import type { Follower, Following, RecordRun, SourceRecord } from '../../src/pipeline/ports.ts';
import { quiet, settings } from './apart.ts';
import { freshTopic, until } from './collector.ts';
import { sendBatch, zstdBatch } from './raw-batch.ts';

/** Follows from the start and keeps everything. */
class Keeper implements Follower {
  readonly records: SourceRecord[] = [];
  readonly errors: Error[] = [];
  next = 0;

  position(): undefined {}

  take({ records, next }: RecordRun): void {
    this.next = next;
    this.records.push(...records);
  }

  failed(error: Error): void {
    this.errors.push(error);
  }
}

describe('logs that other clients and brokers leave', () => {
  const admin = new KafkaAdmin(settings);
  afterAll(() => admin.close());
  const closing: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const each of closing.splice(0).reverse()) await each.close();
  });
  const follow = async (topic: string, follower: Follower, at = settings): Promise<Following> => {
    const log = new KafkaLog(at, { aheadBytes: 4 << 20 }, quiet);
    closing.push(log);
    const following = await log.follow([topic], follower);
    closing.push(following);
    return following;
  };

  test.each([200_000, 1_000_000])(
    'one zstd batch of %i records is read whole, in parts, in bounded memory',
    async (count) => {
      const topic = freshTopic('large-batch');
      const configs = { 'max.message.bytes': String(50 << 20) };
      await admin.create([{ name: topic, partitions: 1, configs }]);
      const records = Array.from({ length: count }, (_, n) => ({ key: `k${n}`, value: `v${n}` }));
      const batch = zstdBatch(records);
      // A broker accepts such a batch, because its limit counts compressed bytes.
      expect(await sendBatch(inject('brokers'), topic, batch)).toBe(0);
      const script = join(import.meta.dirname, 'follow-process.ts');
      // A heap that a million records, each an object with two buffers, would overflow: the process would end.
      const args = ['--max-old-space-size=128', script, inject('brokers'), topic, String(count)];
      const { stdout } = await promisify(execFile)(process.execPath, args);
      const { largestRun, ...rest } = JSON.parse(stdout);
      expect(rest).toEqual({ count, error: '' });
      // Parts of about a mebibyte of the 14 that a million keys and values are.
      expect(largestRun).toBeLessThan(1.5 * (1 << 20));
    },
  );

  test('a compacted topic with emptied batches and holes is followed to its end', async () => {
    const topic = freshTopic('emptied');
    const configs = {
      'cleanup.policy': 'compact',
      'min.cleanable.dirty.ratio': '0.001',
      'segment.ms': '100',
      'delete.retention.ms': '0',
    };
    await admin.create([{ name: topic, partitions: 1, configs }]);
    const kafka = new Kafka({ ...settings, logLevel: logLevel.NOTHING });
    // Compaction keeps the last batch of an idempotent producer for its sequence numbers, but without records.
    const producers = [0, 1, 2].map(() => kafka.producer({ idempotent: true, maxInFlightRequests: 1 }));
    for (const producer of producers) {
      await producer.connect();
      for (let round = 0; round < 10; round++) {
        const messages = Array.from({ length: 20 }, (_, n) => ({ key: `k${n % 5}`, value: String(n) }));
        await producer.send({ topic, messages });
      }
      await producer.disconnect();
    }
    const roller = kafka.producer({ idempotent: true });
    await roller.connect();
    const look = async (): Promise<Keeper> => {
      const keeper = new Keeper();
      const end = (await admin.ranges(topic))[0]?.high ?? 0;
      const following = await follow(topic, keeper);
      await until('the end of the topic', () => keeper.next >= end || keeper.errors.length > 0);
      await following.close();
      expect(keeper.errors).toEqual([]);
      return keeper;
    };
    let seen = await look();
    // Compaction skips the newest segment, and only a write begins a new segment.
    await until('compaction', async () => {
      await roller.send({ topic, messages: [{ key: 'roll', value: '-1' }] });
      seen = await look();
      return seen.records.length < 100;
    });
    await roller.disconnect();
    const offsets = seen.records.map(({ offset }) => offset);
    expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
    const last = new Map(seen.records.map(({ key, value }) => [String(key), String(value)]));
    expect([...last.keys()].sort()).toEqual(['k0', 'k1', 'k2', 'k3', 'k4', 'roll']);
    expect(last.get('k4')).toBe('19');
  });

  const it = test.skipIf(!inject('jars'));
  it('a batch with a wrong checksum is named, and no later record is handed over', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'twhin-damaged-'));
    const broker = await startBroker({ dir, jarsOnly: true });
    try {
      const at = { brokers: broker.brokers.split(','), clientId: 'test' };
      const topic = freshTopic('damaged');
      const own = new KafkaAdmin(at);
      await own.create([{ name: topic, partitions: 1, configs: {} }]);
      await own.close();
      const producer = new Kafka({ ...at, logLevel: logLevel.NOTHING }).producer({ idempotent: true });
      await producer.connect();
      for (const value of ['first-batch', 'second-batch', 'third-batch']) {
        await producer.send({ topic, messages: [{ value }] });
      }
      await producer.disconnect();
      // Brokers check a batch when they accept it, and never again: a fetch returns the damaged bytes from the disk.
      await flip(dir, topic, 'second-batch');
      const keeper = new Keeper();
      const following = await follow(topic, keeper, at);
      await until('the error', () => keeper.errors.length > 0);
      await following.close();
      expect(keeper.records.map(({ value }) => String(value))).toEqual(['first-batch']);
      expect(keeper.next).toBe(1);
      expect(keeper.errors[0]).toMatchObject({ name: 'FatalError', code: 'damaged-batch' });
      expect(String(keeper.errors[0])).toMatch(
        /records 1 to 1 of damaged-\S+\/0 .*checksum.*replay from 2 on/,
      );
      for (const each of closing.splice(0).reverse()) await each.close();
    } finally {
      await broker.stop();
      await rm(dir, { recursive: true, force: true });
    }
  });
});

/** Changes a byte of a text in the segment of a topic's partition 0, on disk. */
async function flip(dir: string, topic: string, text: string): Promise<void> {
  const found = (await readdir(dir, { recursive: true })).find(
    (path) => path.includes(`${topic}-0`) && path.endsWith('.log'),
  );
  if (found === undefined) throw new Error(`no segment of ${topic}-0 in ${dir}`);
  const file = await open(join(dir, found), 'r+');
  const at = (await file.readFile()).indexOf(text);
  await file.write(Buffer.from('X'), 0, 1, at);
  await file.close();
}
