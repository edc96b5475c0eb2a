import { execFile } from 'node:child_process';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, inject, test } from 'vitest';
import { PYTHON, READERS_SKIPPED } from '../cli/export/readers.ts';
import { blocks } from '../docs/blocks.ts';
import { deployed } from './deployed.ts';
import { client } from './topic-ends.ts';
import { HANGS_MS, SMALL } from './twhin.ts';

const run = promisify(execFile);
const AT = 1_700_000_000_000;
const USERS = 60;
/** More than a reader fetches at once: the marker of the transaction's end is in a later answer. */
const LONG_TRANSACTION = 3_000;
const VALUE = Buffer.alloc(1_024);

const likes = (tweets: number, at: number) =>
  Array.from({ length: USERS }, (_, n) => ({
    ...{ userId: `u${n}`, tweetId: `t${n % tweets}`, action: 'like', at: at + n },
  }));

/** One transaction on the vectors' topic, as of a process that was killed if `end` is 'abort'. */
async function write(topic: string, keys: readonly string[], end: 'commit' | 'abort'): Promise<void> {
  const config = { transactionalId: `${topic}-${end}`, idempotent: true, maxInFlightRequests: 1 };
  const producer = client(inject('brokers')).producer(config);
  await producer.connect();
  const transaction = await producer.transaction();
  for (let at = 0; at < keys.length; at += 500)
    await transaction.send({
      topic,
      messages: keys.slice(at, at + 500).map((key) => ({ key, value: VALUE, partition: 0 })),
    });
  await transaction[end]();
  await producer.disconnect();
}

test('each reader of README prints the number of vectors, however often it is run', async () => {
  const twhin = await deployed(SMALL);
  await twhin.ok(['topics', 'apply']);
  const learn = () => twhin.ok(['run', '--graph', 'engagement', '--until-caught-up']);
  await twhin.feed('engagement', likes(10, AT));
  await learn();
  // Every vector is published a second time, and three are deleted then.
  await twhin.feed('engagement', likes(7, AT + 1_000));
  await learn();
  await twhin.feed(
    'erasure',
    ['user:u0', 'user:u1', 'tweet:t9'].map((entity) => ({ entity, at: AT + 9_000 })),
  );
  await learn();
  const topic = twhin.topic('embeddings.engagement');
  const aborted = Array.from({ length: LONG_TRANSACTION }, (_, n) => `user:aborted-${n}`);
  await write(topic, aborted, 'abort');
  await write(topic, ['user:written-last'], 'commit');

  const [python = ''] = blocks('README.md', 'python');
  const [typescript = ''] = blocks('README.md', 'ts');
  const here = (program: string) =>
    program
      .replace('127.0.0.1:9092', inject('brokers').split(',')[0] ?? '')
      .replace('twhin.embeddings.engagement', topic);
  await writeFile(join(twhin.folder, 'reader.py'), here(python));
  await writeFile(join(twhin.folder, 'reader.ts'), here(typescript));
  await writeFile(join(twhin.folder, 'package.json'), '{"type":"module"}');
  await symlink(
    join(import.meta.dirname, '..', '..', 'node_modules'),
    join(twhin.folder, 'node_modules'),
    'junction',
  );
  const readers: [string, string][] = [[process.execPath, 'reader.ts']];
  if (!READERS_SKIPPED) readers.push([PYTHON, 'reader.py']);
  const printed: string[] = [];
  for (const [program, file] of [...readers, ...readers])
    printed.push((await run(program, [file], { cwd: twhin.folder, timeout: HANGS_MS })).stdout);
  // 60 users and 10 tweets without the three deleted ones, and the one that was written last.
  expect(printed).toEqual([...readers, ...readers].map(() => '68 vectors\n'));
});
