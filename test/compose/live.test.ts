import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { besideNoShards, instanceIdOf } from '../../src/compose/live.ts';
import { FatalError } from '../../src/errors/errors.ts';
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

test('a whole graph does not lead beside shards that run', async () => {
  const topic = 'twhin.exchange.follow';
  const joined = (sentAt: number, high = 7) =>
    besideNoShards(soleLeadership, 'follow', topic, {
      offsetsAt: async (_, timeMs) => ({ [topic]: { 0: sentAt >= timeMs ? 5 : 7 } }),
      ranges: async () => [{ topic, partition: 0, low: 0, high }],
    }).join({ position: () => undefined, failed() {} });
  await expect(joined(Date.now() - 9_000)).rejects.toThrow(/^shards of follow run: .* last 30 s/);
  await joined(Date.now() - 40_000);
  // Sent between the two questions.
  await expect(joined(0, 8)).rejects.toMatchObject({ code: 'shards' });
  const absent = async () => Promise.reject(new FatalError('topics-missing', 'no such topic'));
  const alone = besideNoShards(soleLeadership, 'follow', topic, { offsetsAt: absent, ranges: absent });
  await alone.join({ position: () => undefined, failed() {} });
});
