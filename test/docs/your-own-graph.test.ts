import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { Running } from '../e2e/twhin.ts';
import { blocks } from './blocks.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const run = promisify(execFile);
const PAGE = 'docs/your-own-graph.md';
/** Trains and ranks for half a minute, in a store of its own: `test/cli/evaluate` has it. */
const LEFT_OUT = 'evaluate';

const listed = z.object({ items: z.array(z.object({ entity: z.string() })) });

/** Follows the page line by line, with a log of files in place of brokers. */
test('who follows the page gets lists of the right taste', async () => {
  const [program = ''] = blocks(PAGE, 'js');
  const [configuration = ''] = blocks(PAGE, 'ts');
  const lines = blocks(PAGE, 'sh').flatMap((block) => block.trim().split('\n'));
  const folder = await mkdtemp(join(tmpdir(), 'your-own-graph-'));
  const running: Running[] = [];
  onTestFinished(async () => {
    for (const each of running) each.kill('SIGKILL');
    await Promise.all(running.map(({ ended }) => ended));
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  await writeFile(join(folder, 'shop.mjs'), program);
  await writeFile(join(folder, 'twhin.config.ts'), configuration);

  const env: Record<string, string> = { PATH: process.env['PATH'] ?? '', TWHIN_HTTP: 'off' };
  const start = (args: readonly string[]): Running => {
    const child = spawn(process.execPath, args, { cwd: folder, env });
    child.stdin.end();
    const command = new Running(child);
    running.push(command);
    return command;
  };
  const said: Record<string, string> = {};
  const asked: string[] = [];
  let url = '';
  let serving: Running | undefined;
  for (const line of lines) {
    const [, name, value] = /^export (\w+)=(\S+)/.exec(line) ?? [];
    const [, command] = /^npx twhin (.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) env[name] = value;
    else if (command === 'serve') {
      serving = start([join(ROOT, 'bin', 'twhin.js'), 'serve', '--http', '127.0.0.1:0']);
      url = await serving.url();
    } else if (line.startsWith('curl ')) {
      const { stdout } = await run('sh', ['-c', line.replace('http://127.0.0.1:8079', url)]);
      if (line.endsWith('/readyz')) continue;
      const { items } = listed.parse(JSON.parse(stdout));
      asked.push(line);
      said[line] = items.map(({ entity }) => entity).join(' ');
    } else if (line === 'node shop.mjs' || command !== undefined) {
      if (command?.startsWith(LEFT_OUT)) continue;
      const args =
        command === undefined ? ['shop.mjs'] : [join(ROOT, 'bin', 'twhin.js'), ...command.split(' ')];
      const { code, stdout, stderr } = await start(args).ended;
      expect([line, code, code === 0 ? '' : stderr.slice(-2000)]).toEqual([line, 0, '']);
      said[command ?? line] = stdout;
    } else throw new Error(`a line that nobody knows how to follow: ${line}`);
  }

  expect(said['stats']).toMatch(/46,707 consumed, 0 rejected/);
  expect(said['stats']).toMatch(/6,\d+ buys, \d+,\d+ session-views, \d+,\d+ views/);
  await serving?.says(/"msg":"ready after [\d.]+ s: 6,\d{3} vectors"/);
  expect(asked).toHaveLength(5);
  const answers = asked.map((line) => said[line]?.split(' ') ?? []);
  const lists = answers.slice(0, 4);
  expect(lists.map(({ length }) => length)).toEqual([5, 5, 5, 5]);
  // Of twenty tastes, one product in twenty is right by chance. One view in ten is of another taste, and batches are cut by time
  // too: two runs are not alike.
  const right = lists.flat().filter((entity) => Number(entity.slice('product:p-'.length)) % 20 === 7);
  expect(right.length, `of ${lists.join(' | ')}`).toBeGreaterThanOrEqual(12);
  expect(answers[3]).not.toContain('product:p-67');
  expect(answers[4]).toEqual(['product:p-47', 'product:p-48']);
}, 300_000);
