import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { connect } from '../../../src/adapters/connect.ts';
import { frame, LogPartition } from '../../../src/adapters/file-log/partition.ts';
import { Collector, numbered, numbersOf, until } from '../../kafka/collector.ts';
import { logConformance } from '../../kafka/log-conformance.ts';

const made: string[] = [];
const fresh = async (): Promise<string> => {
  const dir = await mkdtemp(join(tmpdir(), 'twhin-log-'));
  made.push(dir);
  return dir;
};
const open = (dir: string) => connect({ brokers: [`file:${dir}`], clientId: 'test' });

afterAll(async () => {
  for (const dir of made) await rm(dir, { recursive: true, force: true });
});

logConformance('file log', async () => open(await fresh()));

describe('a writer that died', () => {
  const read = async (dir: string, count: number): Promise<number[]> => {
    const log = (await open(dir)).log();
    const collector = new Collector();
    await log.follow(['t'], collector);
    await until('the records', () => collector.records.length >= count);
    await log.close();
    return numbersOf(collector.records);
  };
  const write = async (dir: string, count: number, from: number): Promise<void> => {
    const sink = (await open(dir)).sink();
    await sink.publish(numbered('t', count, 1, from));
    await sink.stop();
  };
  const made = async (): Promise<{ dir: string; file: string }> => {
    const dir = await fresh();
    const connection = await open(dir);
    await connection.admin().create([{ name: 't', partitions: 1, configs: {} }]);
    await write(dir, 3, 0);
    return { dir, file: join(dir, 't', '0.log') };
  };

  test.each([1, 7, 8, 30])(
    'its last record less %i bytes is no record, and the next writer cuts it off',
    async (bytes) => {
      const { dir, file } = await made();
      await truncate(file, (await readFile(file)).length - bytes);
      expect(await read(dir, 2)).toEqual([0, 1]);
      await write(dir, 1, 7);
      expect(await read(dir, 3)).toEqual([0, 1, 7]);
    },
  );

  test.each([
    ['bytes that are no record', [30, 0, 0, 0, 1, 2, 3, 4, ...new Uint8Array(30)]],
    ['zeros, as a file system leaves them after a power loss,', [...new Uint8Array(100)]],
  ])('%s end the log', async (_, bytes) => {
    const { dir, file } = await made();
    const whole = await readFile(file);
    await appendFile(file, Buffer.from(bytes));
    expect(await read(dir, 3)).toEqual([0, 1, 2]);
    await write(dir, 1, 9);
    expect((await readFile(file)).subarray(0, whole.length)).toEqual(whole);
    expect(await read(dir, 4)).toEqual([0, 1, 2, 9]);
  });

  test('a whole frame of another format is refused, with its file, and stays', async () => {
    const { dir, file } = await made();
    await appendFile(file, frame(Buffer.alloc(30)));
    const whole = await readFile(file);
    const partition = new LogPartition(dir, 't', 0);
    await expect(partition.read(9)).rejects.toThrow(`${file}: record 3 is in no format of this version`);
    expect(await readFile(file)).toEqual(whole);
  });

  test('a topic.json that it left half written is refused, with its path', async () => {
    const { dir } = await made();
    const path = join(dir, 't', 'topic.json');
    await writeFile(path, '{"partitions":1,');
    await expect((await open(dir)).admin().describe(['t'])).rejects.toThrow(`can't read ${path}: `);
  });

  test('two writers at once lose nothing', async () => {
    const { dir } = await made();
    const connection = await open(dir);
    const sinks = [connection.sink(), connection.sink()];
    await Promise.all(
      Array.from({ length: 40 }, (_, n) => sinks[n % 2]?.publish(numbered('t', 5, 1, 3 + n * 5))),
    );
    const numbers = await read(dir, 203);
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 203 }, (_, n) => n));
  });
});
