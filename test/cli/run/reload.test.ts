import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { GraphRun } from '../../../src/cli/run/graph-run.ts';
import { Reload, type ReloadOptions } from '../../../src/cli/run/reload.ts';
import { Configuration } from '../../../src/config/configuration.ts';
import type { LogLevel } from '../../../src/log.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twhin-reload-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const write = (inside: string) =>
  writeFile(join(folder, 'twhin.config.ts'), `export default { ${inside} };\n`);

/** A process that runs one graph, whose live store has settings of its own. */
async function setUp(inside: string, { verbose = false, own = [] as string[] } = {}) {
  await write(inside);
  const configuration = await Configuration.load({}, folder);
  const reload = new Reload(configuration);
  const lines: string[] = [];
  const told: string[] = [];
  const epsilons: number[] = [];
  const logging = { verbose, level: configuration.config.logLevel as LogLevel };
  const line = (level: string) => (fields: object, message: string) => {
    lines.push(`${logging.level}> ${level} ${message} ${'reason' in fields ? fields.reason : ''}`.trim());
  };
  const stopping = new AbortController();
  const run = {
    ...{ graph: { name: 'follow' }, own },
    retuning:
      ({ config }: Configuration) =>
      () =>
        epsilons.push(config.tuning.epsilon),
  };
  const options: ReloadOptions = {
    runs: [run as never as GraphRun],
    log: { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') },
    ...{ logging, stopping: stopping.signal, told: (result) => told.push(result) },
  };
  return { reload, lines, told, epsilons, logging, stopping, run, ask: () => reload.ask(options) };
}

test('logs each changed key, and whether it needs a restart', async () => {
  const { ask, lines, told, epsilons, reload } = await setUp('model: { dim: 16 }');
  await ask();
  await write('model: { dim: 8 }, publish: { epsilon: 0.2 }');
  await ask();
  expect(lines).toEqual([
    'info> info the configuration was read again: nothing has changed',
    'info> warn configuration needs a new store: model.dim: 16 → 8; a restart with it is refused. Replay and promote: twhin replay --graph follow --into NAME, then twhin replay promote NAME --graph follow',
    'info> info configuration applied: publish.epsilon: 0.05 → 0.2',
  ]);
  expect(told).toEqual(['unchanged', 'applied']);
  expect(epsilons).toEqual([0.05, 0.2]);
  expect(reload.configuration.config.tuning.epsilon).toBe(0.2);
});

test('a relation of a running graph needs a new store, and a key that no store keeps a restart', async () => {
  const { ask, lines } = await setUp(`graphs: { follow: { relations: ['follows'] } }`);
  await write(`graphs: { follow: { relations: ['follows', 'clicks'] } }, training: { seed: 7 }`);
  await ask();
  expect(lines).toEqual([
    expect.stringMatching(/warn configuration needs a restart: training.seed: .* → 7$/),
    expect.stringMatching(
      /warn configuration needs a new store: graphs: .*clicks.*; a restart with it is refused/,
    ),
  ]);
});

test('a refused configuration changes nothing, and one log line lists every problem', async () => {
  const { ask, lines, told, epsilons, reload } = await setUp('');
  await write(`publish: { epsilon: -1 }, log: { level: 'loud' }`);
  await ask();
  expect(lines).toEqual([
    expect.stringMatching(
      /^info> error the configuration was read again and refused; the one before stays .*2 problems.*\n.*publish\.epsilon: .*seen -1\n.*log\.level: .*seen "loud"$/,
    ),
  ]);
  expect([told, epsilons]).toEqual([['refused'], []]);
  expect(reload.configuration.config.tuning.epsilon).toBe(0.05);
});

test('a configuration that does not fit one graph changes no graph', async () => {
  const { ask, lines, told, epsilons, run, reload } = await setUp('');
  await write('publish: { epsilon: 0.2 }');
  run.retuning = () => {
    throw new Error('not with that store');
  };
  await ask();
  expect(lines[0]).toContain('refused; the one before stays not with that store');
  expect([told, epsilons, reload.configuration.config.tuning.epsilon]).toEqual([['refused'], [], 0.05]);
});

test('a change of the log level is logged at the more verbose level', async () => {
  const { ask, lines, logging } = await setUp('');
  await write(`log: { level: 'error' }`);
  await ask();
  expect(logging.level).toBe('error');
  await write(`log: { level: 'debug' }`);
  await ask();
  expect(logging.level).toBe('debug');
  expect(lines).toEqual([
    'info> info configuration applied: log.level: "info" → "error"',
    'debug> info configuration applied: log.level: "error" → "debug"',
  ]);
});

test('--verbose overrides the level, and the live store keeps its own settings', async () => {
  const { ask, lines } = await setUp('', { verbose: true, own: ['publish.epsilon', 'model.dim'] });
  await write(`log: { level: 'warn' }, publish: { epsilon: 0.3 }, model: { dim: 8 }`);
  await ask();
  expect(lines.map((line) => line.slice(line.indexOf(' ') + 1))).toEqual([
    'warn configuration needs a new store: model.dim: 128 → 8; a restart with it is refused. Replay and promote: twhin replay --graph follow --into NAME, then twhin replay promote NAME --graph follow',
    'info configuration applied: publish.epsilon: 0.05 → 0.3',
    'info publish.epsilon stays: the live store has a value of its own, from --set',
    'warn configuration needs a restart: log.level: "info" → "warn", --verbose wins',
  ]);
});

test('a request during a reload causes one more reload, and a request during the stop none', async () => {
  const { ask, told, stopping } = await setUp('');
  await Promise.all([ask(), ask(), ask()]);
  expect(told).toEqual(['unchanged', 'unchanged']);
  const late = ask();
  stopping.abort();
  await Promise.all([late, ask()]);
  expect(told).toEqual(['unchanged', 'unchanged']);
});
