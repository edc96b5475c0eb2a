import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, test } from 'vitest';
import { ROOT } from '../../bench/harness.ts';
import { Running, ran } from '../../bench/process.ts';

const RUN = join(ROOT, 'bench', 'run.ts');

it.each([
  ['nothing', 'expected one of kernel, scan'],
  ['kg --seeds', "Option '--seeds <value>' argument missing"],
  ['kg --seeds few', '--seeds: expected a number from 0; seen "few"'],
  ['scan --smoke --rounds 0', '--rounds: expected a whole number from 1; seen 0'],
  ['kg --smoke --rounds 2', '--rounds has no part in kg'],
  ['scan --smoke --set model.dim=8', '--set has no part in scan'],
  ['scan --smoke --against nothing', '--against: expected a commit of this repository; seen nothing'],
])('refuses npm run bench -- %s with exit code 2, and prints no table', async (line, message) => {
  const running = new Running([RUN, ...line.split(' ')], process.env);
  expect(await running.ended).toBe(2);
  expect(running.stderr).toContain(message);
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
