import { execFile } from 'node:child_process';
import { glob, open } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, inject, test } from 'vitest';
import { KafkaLog } from '../../src/adapters/kafka/kafka.ts';
import { apart, quiet, settings } from './apart.ts';
import { Collector, freshTopic, until } from './collector.ts';
import { makeTopic } from './make-topic.ts';
import { sendBatch, zstdBatch } from './raw-batch.ts';

describe('logs that other clients and brokers leave', () => {
  const { producer } = apart();

  test('one zstd batch of a million records is read whole, in parts, in bounded memory', async () => {
    const count = 1_000_000;
    const topic = freshTopic('large-batch');
    await makeTopic(topic, 1, { 'max.message.bytes': String(50 << 20) });
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
  });

  test.skipIf(inject('data') === '' && process.env['CI'] !== 'true')(
    'a batch with a wrong checksum is named, and no later record is handed over',
    async () => {
      const topic = freshTopic('damaged');
      await makeTopic(topic, 1);
      for (const value of ['first-batch', 'second-batch', 'third-batch'])
        await producer.send({ topic, messages: [{ value }] });
      // Brokers check a batch when they accept it, and never again: a fetch returns the damaged bytes from the disk.
      const cwd = inject('data');
      const segments = await Array.fromAsync(glob(`broker-*/data/${topic}-0/*.log`, { cwd }));
      expect(segments).not.toEqual([]);
      for (const path of segments) await flip(join(cwd, path), 'second-batch');
      const collector = new Collector();
      await using log = new KafkaLog(settings, { aheadBytes: 4 << 20 }, quiet);
      await log.follow([topic], collector);
      await until('the error', () => collector.errors.length > 0);
      await log.close();
      expect(collector.records.map(({ value }) => String(value))).toEqual(['first-batch']);
      expect(collector.position(topic, 0)?.offset).toBe(1);
      expect(collector.errors[0]).toMatchObject({ name: 'FatalError', code: 'damaged-batch' });
      expect(String(collector.errors[0])).toMatch(
        /records 1 to 1 of damaged-\S+\/0 .*checksum.*replay from 2 on/,
      );
    },
  );
});

/** Changes a byte of a text in a file. */
async function flip(path: string, text: string): Promise<void> {
  await using file = await open(path, 'r+');
  const at = (await file.readFile()).indexOf(text);
  await file.write(Buffer.from('X'), 0, 1, at);
}
