import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { report } from '../../src/cli/output.ts';
import { FatalError, UsageError } from '../../src/errors/errors.ts';
import { type Place, place } from './captured.ts';

let here: Place;
beforeEach(async () => {
  here = await place();
});
afterEach(() => here.remove());

const COMMANDS = [
  ['topics', 'plan'],
  ['topics', 'apply'],
  ['feed'],
  ['run'],
  ['replay'],
  ['replay', 'compare'],
  ['replay', 'promote'],
  ['backup'],
  ['restore'],
  ['check'],
  ['stats'],
  ['show'],
  ['doctor'],
  ['init'],
];

describe('the command line', () => {
  test('help names every command, and each command has help with an example', async () => {
    const { code, out, err } = await here.run('--help');
    expect([code, err]).toEqual([0, []]);
    for (const command of COMMANDS) {
      expect(out.join('\n')).toMatch(new RegExp(`^ +${command[0]}\\b`, 'm'));
      const said = await here.run(...command, '--help');
      expect([command, said.code, said.err]).toEqual([command, 0, []]);
      const text = said.out.join('\n');
      expect(text, command.join(' ')).toMatch(new RegExp(`^Usage: twhin ${command.join(' ')}`));
      expect(text, command.join(' ')).toMatch(new RegExp(`Example:\n +.*twhin ${command.join(' ')}`));
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
      'twhin: [graph] no graph nowhere; the configuration has engagement, follow',
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
      expect(err[0]).toBe('twhin: [configuration] the configuration has 2 problems; nothing was started:');
      expect(err.join('\n')).not.toMatch(/^ +at /m);
    }
  });

  test('an error is one block, and has a stack only with --verbose', async () => {
    const plain = await here.run('show', 'user:1');
    expect([plain.code, plain.err.length]).toEqual([1, 1]);
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
    const output = { out() {}, err: (line: string) => said.push(line), status() {}, statusDone() {} };
    expect(report(new UsageError('set', 'wrong'), false, output)).toBe(2);
    expect(report(new FatalError('store-open', 'broken'), false, output)).toBe(1);
    expect(said).toEqual(['twhin: [set] wrong', 'twhin: [store-open] broken']);
    expect(report(new TypeError('oops'), false, output)).toBe(1);
    expect(report('a word', false, output)).toBe(1);
    expect(said.slice(2)).toEqual([
      'twhin: oops',
      'This was not expected; --verbose shows where it happened.',
      'twhin: a word',
      'This was not expected; --verbose shows where it happened.',
    ]);
  });

  test('--version prints the version of the package', async () => {
    const { version } = JSON.parse(await readFile(join(import.meta.dirname, '../../package.json'), 'utf8'));
    expect(await here.run('--version')).toEqual({ code: 0, out: [version], err: [] });
  });

  test('init writes a configuration and never overwrites one', async () => {
    const path = join(here.folder, 'twhin.config.ts');
    expect(await here.run('init')).toEqual({ code: 0, out: [`wrote ${path}`], err: [] });
    const written = await readFile(path, 'utf8');
    const again = await here.run('init');
    expect([again.code, again.err]).toEqual([
      2,
      [`twhin: [exists] ${path} exists already; nothing was written`],
    ]);
    expect(await readFile(path, 'utf8')).toBe(written);
    expect((await here.run('topics', 'plan')).code).toBe(0);
  });
});
