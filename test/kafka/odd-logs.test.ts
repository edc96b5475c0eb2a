import { execFile } from 'node:child_process';
import { mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, describe, expect, inject, test } from 'vitest';
import { startBroker } from '../../broker/start.ts';
import { KafkaAdmin, KafkaLog } from '../../src/adapters/kafka/kafka.ts';
import { quiet, settings } from './apart.ts';
import { Collector, freshTopic, until } from './collector.ts';
import { sendBatch, zstdBatch } from './raw-batch.ts';

describe('logs that other clients and brokers leave', () => {
  const admin = new KafkaAdmin(settings);
  afterAll(() => admin.close());

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
      const collector = new Collector();
      await using log = new KafkaLog(at, { aheadBytes: 4 << 20 }, quiet);
      await log.follow([topic], collector);
      await until('the error', () => collector.errors.length > 0);
      await log.close();
      expect(collector.records.map(({ value }) => String(value))).toEqual(['first-batch']);
      expect(collector.position(topic, 0)).toBe(1);
      expect(collector.errors[0]).toMatchObject({ name: 'FatalError', code: 'damaged-batch' });
      expect(String(collector.errors[0])).toMatch(
        /records 1 to 1 of damaged-\S+\/0 .*checksum.*replay from 2 on/,
      );
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
