import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { instanceIdOf } from '../../src/compose/live.ts';
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
