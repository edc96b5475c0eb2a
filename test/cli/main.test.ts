import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { beforeEach, describe, expect, test } from 'vitest';
import { report } from '../../src/cli/output.ts';
import { FatalError, UsageError } from '../../src/errors/errors.ts';
import { json, own, type Place, place, refused } from './captured.ts';

const COMMAND = join(import.meta.dirname, '..', '..', 'bin', 'twhin.js');

let here: Place;
beforeEach(async () => {
  here = await own(place());
});

const COMMANDS =
  'topics plan,topics apply,feed,run,replay,compare,promote,backup,restore,check,stats,show,doctor,init';

describe('the command line', () => {
  test('help names every command, and each command has help with an example', async () => {
    const { code, out, err } = await here.run('--help');
    expect([code, err]).toEqual([0, []]);
    for (const command of COMMANDS.split(',')) {
      const words = command.split(' ');
      expect(out.join('\n')).toMatch(new RegExp(`^ +${words[0]}\\b`, 'm'));
      const said = await here.run(...words, '--help');
      expect([command, said.code, said.err]).toEqual([command, 0, []]);
      const text = said.out.join('\n');
      expect(text).toMatch(new RegExp(`^Usage: twhin ${command}`));
      expect(text).toMatch(new RegExp(`Example:\n +.*twhin ${command}`));
    }
  });

  test('wrong usage ends with exit code 2 and prints on stderr only', async () => {
    for (const argv of [
      [],
      ['dance'],
      ['stats', '--colour'],
      ['stats', '--graph', 'nowhere'],
      ['show'],
      ['feed', 'x.ndjson'],
      ['feed', 'x.ndjson', '--topic', 'engagement', '--rate', '-1'],
      ['feed', 'x.ndjson', '--topic', 'engagement', '--limit', '1.5'],
      ['feed', 'x.ndjson', '--topic', 'engagement', '--format', 'xml'],
      ['topics'],
    ]) {
      const { code, out, err } = await here.run(...argv);
      expect([argv, code, out]).toEqual([argv, 2, []]);
      expect(err.join('').length, argv.join(' ')).toBeGreaterThan(10);
    }
    expect((await here.run('stats', '--graph', 'nowhere')).err).toEqual([
      'twhin: no graph nowhere; the configuration has engagement, follow',
    ]);
  });

  test('a wrong configuration ends with exit code 2, lists every problem in one block and starts nothing', async () => {
    await writeFile(
      join(here.folder, 'twhin.config.ts'),
      `export default { preset: 'best', model: { dim: -1 } }`,
    );
    for (const argv of [['run', '--until-caught-up'], ['stats', '--json'], ['topics', 'apply'], ['doctor']]) {
      const { code, out, err } = await here.run(...argv);
      expect([argv, code, out]).toEqual([argv, 2, []]);
      expect(err).toHaveLength(3);
      expect(err[0]).toBe('twhin: the configuration has 2 problems; nothing was started:');
      expect(err.join('\n')).not.toMatch(/^ +at /m);
    }
  });

  test('an error is one block, and has a stack only with --verbose', async () => {
    const plain = await refused(here.run('show', 'user:1'), 1, /^.*$/);
    for (const argv of [
      ['--verbose', 'show', 'user:1'],
      ['show', 'user:1', '--verbose'],
    ]) {
      const verbose = await here.run(...argv);
      expect([verbose.code, verbose.err[0]]).toEqual([1, plain.err[0]]);
      expect(verbose.err.join('\n')).toMatch(/^ +at /m);
    }
  });

  test('the exit code tells wrong usage from a failure', () => {
    const said: string[] = [];
    const output = { out() {}, err: (line: string) => said.push(line), status() {} };
    expect(report(new UsageError('wrong'), false, output)).toBe(2);
    expect(report(new FatalError('store-open', 'broken'), false, output)).toBe(1);
    expect(said).toEqual(['twhin: wrong', 'twhin: [store-open] broken']);
    expect(report(new TypeError('oops'), false, output)).toBe(1);
    expect(report('a word', false, output)).toBe(1);
    expect(said.slice(2)).toEqual([
      'twhin: oops',
      'This was not expected; --verbose shows where it happened.',
      'twhin: a word',
      'This was not expected; --verbose shows where it happened.',
    ]);
  });

  test('without a configuration file, a command says so once on stderr, and doctor in its first line', async () => {
    const said = `there is no twhin.config.ts in ${here.folder}: the defaults count, with the graphs engagement, follow`;
    expect(await here.run('topics', 'apply')).toMatchObject({ code: 0, err: [] });
    await rm(join(here.folder, 'twhin.config.ts'));
    await writeFile(join(here.folder, 'none.ndjson'), '');
    const fed = await here.run('feed', join(here.folder, 'none.ndjson'), '--topic', 'follow', '--json');
    expect([fed.code, fed.err, json(fed)]).toEqual([0, [said], expect.objectContaining({ sent: 0 })]);
    const plan = await here.run('topics', 'plan');
    expect([plan.err, plan.out.join('\n')]).toEqual([[said], expect.not.stringContaining('twhin.config.ts')]);
    const doctor = await here.run('doctor');
    expect([doctor.err, doctor.out[0]]).toEqual([[], `ok    configuration        ${said}`]);
    expect((await here.run('backup', join(here.folder, 'copy'))).err[0]).toBe(said);
  });

  test.each([
    // The place is where the parser of TypeScript sees that something is missing.
    [
      'export default {\n  model: { dim: 64 }\n  publish: {},\n};\n',
      ":3:3 can't be used: Expected ',', got 'ident'",
    ],
    ['export default {\n  state: nothing,\n};\n', ":2:10 can't be used: nothing is not defined"],
    ['export default () => {\n  throw new Error("oh no");\n};\n', ":2:9 can't be used: oh no"],
    ['export const a = 1;\n', " can't be used: it has no default export"],
  ])('says where the configuration file %j is wrong', async (content, problem) => {
    const path = join(here.folder, 'twhin.config.ts');
    await writeFile(path, content);
    // By Node itself, which reads such files without a tool for tests between.
    const child = spawn(process.execPath, [COMMAND, 'stats'], {
      cwd: here.folder,
      env: { PATH: process.env['PATH'] },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
    expect([code, stderr]).toEqual([2, `twhin: ${path}${problem}\n`]);
  });

  test('init writes a configuration and never overwrites one', async () => {
    const path = join(here.folder, 'twhin.config.ts');
    await rm(path);
    expect(await here.run('init')).toEqual({ code: 0, out: [`wrote ${path}`], err: [], log: [] });
    const written = await readFile(path, 'utf8');
    const again = await here.run('init');
    expect([again.code, again.err]).toEqual([
      2,
      [`twhin: ${path} exists already; nothing was written. Edit that file, or move it away first`],
    ]);
    expect(await readFile(path, 'utf8')).toBe(written);
    expect((await here.run('topics', 'plan')).code).toBe(0);
  });
});
