import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, test } from 'vitest';
import { ROOT } from '../../bench/harness.ts';
import { Running, ran } from '../../bench/process.ts';

const RUN = join(ROOT, 'bench', 'run.ts');

it.each([
  ['nothing', 'expected one of kernel, scan'],
  ['kg --seeds', "Option '--seeds <value>' argument missing"],
  ['kg --seeds few', '--seeds: expected a whole number from 1; seen "few"'],
  ['kg --smoke --shards 1.5', '--shards: expected a whole number from 1; seen "1.5"'],
  [
    'kg --smoke --export test',
    '--export: expected a folder that is not there yet, in one that is; seen test',
  ],
  ['kg --train nothing.gz --test nothing.gz', "nothing.gz can't be read: ENOENT"],
  ['kg --train test --test test', "test can't be read: EISDIR"],
  ['streams --smoke --folder test', "events.ndjson can't be read: ENOENT"],
  ['streams --smoke --higgs README.md', 'README.md, line 1: expected "actor target unixSeconds RT|RE|MT"'],
  ['streams --smoke --graph nothing', '--graph: expected one of engagement, follow; seen nothing'],
  ['streams --smoke --holdout 1', '--holdout: expected a share between 0 and 1; seen 1'],
  ['e2e --smoke --set nothing=1', 'nothing: expected no such key'],
  ['shards --smoke --shards 2,x', '--shards: expected numbers such as 4 or 4p, seen "x"'],
  ['memory --smoke --entities 1', '--edges: expected at most 0 of --entities 1; seen 700'],
  ['kernel --smoke --rows 9', '--rows: expected 1000 at least; seen 9'],
  ['size --smoke --few 9', '--few and --many: expected 100 at least; seen 9 and 200'],
  ['scan --smoke --rounds 0', '--rounds: expected a whole number from 1; seen "0"'],
  ['kg --smoke --rounds 2', '--rounds has no part in kg'],
  ['scan --smoke --set model.dim=8', '--set has no part in scan'],
  ['scan --smoke --against nothing', '--against: expected a commit of this repository; seen nothing'],
])('refuses npm run bench -- %s with exit code 2 and a sentence', async (line, message) => {
  const running = new Running([RUN, ...line.split(' ')], process.env);
  expect(await running.ended).toBe(2);
  expect(running.stderr).toContain(message);
  expect(running.stderr).not.toMatch(/^ +at /m);
  expect(running.stdout).toBe('');
});

test.skipIf(!existsSync(join(ROOT, '.git')))(
  'another commit takes turns with this one, and a figure of zero is a figure (skipped without the history)',
  async () => {
    const { stdout } = await ran(
      [RUN, 'kg', '--smoke', '--shards', '1', '--set=dim=8', '--against=HEAD', '--rounds', '2', '--json'],
      process.env,
    );
    const { columns, rows } = JSON.parse(stdout).tables[0];
    const fears = rows.find(([name]: unknown[]) => name === 'fears');
    // The two are one commit, and nobody was seen to fear: no answer is first.
    expect(columns[5]).toBe('hits@1');
    expect(columns[6]).toMatch(/^hits@1, at [0-9a-f]{10}$/);
    expect(fears.slice(5, 7)).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
    expect(fears[columns.indexOf('MRR, ratio')]).toBe(1);
  },
);
