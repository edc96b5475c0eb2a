import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { readRecord } from '../../topics/record.ts';
import { freshFolder } from '../fresh-folder.ts';
import { snippets } from './blocks.ts';

test('the example of a topic of one’s own works as it is, with the event that it shows', async () => {
  const [example = '', ...more] = snippets('docs/wire-contract.md', 'defineTopic({');
  expect(more).toEqual([]);
  const folder = await freshFolder();
  const path = join(folder, 'twhin.config.ts');
  await writeFile(path, example);
  const { graphs } = await loadConfig({ TWHIN_CONFIG: path }, folder);
  expect(graphs.map(({ name, topics }) => [name, topics.map((topic) => topic.name)])).toEqual([
    ['shop', ['view', 'erasure']],
  ]);
  const [, shown = ''] = /The event is (\{.*\})\./.exec(example) ?? [];
  const read = (event: string) =>
    readRecord(graphs[0]!.topics[0]!, { value: Buffer.from(event), timestamp: 1_704_067_200_500 });
  const edge = { rhs: 'product:p-9', at: 1_704_067_200_000, removed: false };
  expect(read(shown)).toEqual([{ lhs: 'session:s-1', relation: 'session-views', ...edge }]);
  expect(read(shown.replace('null', '7'))).toEqual([
    { lhs: 'session:s-1', relation: 'session-views', ...edge },
    { lhs: 'customer:7', relation: 'views', ...edge },
  ]);
});
