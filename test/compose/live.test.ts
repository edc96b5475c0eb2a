import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { besideNoShards, instanceIdOf } from '../../src/compose/live.ts';
import { FatalError } from '../../src/errors/errors.ts';
import { silentLog } from '../../src/log.ts';
import { soleLeadership } from '../../src/pipeline/sole-leadership.ts';
import { freshFolder } from '../fresh-folder.ts';

let parent: string;
beforeEach(async () => {
  parent = await freshFolder();
});

test('is made once for each state folder of a graph, and stays', async () => {
  const [one, other] = [{ folder: join(parent, 'a', 'follow') }, { folder: join(parent, 'b', 'follow') }];
  const id = await instanceIdOf(one);
  expect(id).toMatch(/^[0-9a-f-]{36}$/);
  expect(await instanceIdOf(one)).toBe(id);
  expect(await readFile(join(one.folder, 'instance-id'), 'utf8')).toBe(`${id}\n`);
  expect(await instanceIdOf(other)).not.toBe(id);
});

test('a file that holds no id is written again', async () => {
  const graph = { folder: parent };
  await writeFile(join(parent, 'instance-id'), '');
  const id = await instanceIdOf(graph);
  expect(id).toMatch(/^[0-9a-f-]{36}$/);
  expect(await instanceIdOf(graph)).toBe(id);
});

test('a whole graph does not lead beside shards that run, and leads once they have stopped', async () => {
  const topic = 'twhin.exchange.follow';
  const candidate = { position: () => undefined, failed() {} };
  const heardMs = 2_000;
  const led = (sentAt: number, highs: readonly number[]) => {
    const left = [...highs];
    const reader = {
      offsetsAt: async (_: readonly string[], timeMs: number) => ({
        [topic]: { 0: sentAt >= timeMs ? 5 : 7 },
      }),
      ranges: async () => [
        { topic, partition: 0, low: 0, high: left.length > 1 ? left.shift()! : highs.at(-1)! },
      ],
    };
    return besideNoShards(soleLeadership, 'follow', topic, reader, silentLog, heardMs);
  };
  const joined = (sentAt: number, highs: readonly number[]) => led(sentAt, highs).join(candidate);
  await expect(joined(Date.now(), [7, 7, 8])).rejects.toThrow(/^shards of follow run: one has just sent/);
  await joined(Date.now(), [7]);
  await joined(Date.now() - heardMs - 1_000, [7]);
  const stopped = led(Date.now(), [7]);
  const joining = stopped.join(candidate);
  await stopped.stop();
  await expect(joining).rejects.toMatchObject({ code: 'stopped' });
  const absent = async () => Promise.reject(new FatalError('topics-missing', 'no such topic'));
  const reader = { offsetsAt: absent, ranges: absent };
  await besideNoShards(soleLeadership, 'follow', topic, reader, silentLog).join(candidate);
});
