import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Place, succeeded } from './captured.ts';
import { CONFIG, filledPlace, shardedConfig } from './filled-place.ts';

const COMMAND = join(import.meta.dirname, '..', '..', 'bin', 'twhin.js');
const INTERRUPTS = pathToFileURL(join(import.meta.dirname, 'interrupts.js')).href;
const WHOLE = ['--graph', 'engagement'];

/** A command, and the file at whose sight it is interrupted: path from the place's folder. */
type Case = readonly [name: string, at: RegExp, argv: readonly string[]];

const OF_A_GRAPH: readonly Case[] = [
  ['doctor', /temporary\/twhin-work-/, ['doctor']],
  ['evaluate', /temporary\/twhin-work-/, ['evaluate', ...WHOLE]],
  ['tune', /temporary\/twhin-work-/, ['tune', ...WHOLE]],
  ['backup', /backups\/engagement\/backup\.lock$/, ['backup', 'backups', ...WHOLE]],
  ['restore', /restoring\/back\/db\/CURRENT/, ['restore', 'saved', '--into', 'back']],
  [
    'restore --from-topic',
    /restoring\/back\/db\/CURRENT/,
    ['restore', '--from-topic', ...WHOLE, '--into', 'back'],
  ],
  ['export', /vectors\.partial-\d+/, ['export', ...WHOLE, '--out', 'vectors']],
  ['candidates', /l\.ndjson\.partial/, ['candidates', '--surface', 'home', '--out', 'l.ndjson']],
  ['feed', /\.lock$/, ['feed', 'events.ndjson', '--topic', 'engagement']],
];
const OF_SHARDS: readonly Case[] = [
  ['replay', /stores\/another\/db\/CURRENT/, ['replay', ...WHOLE, '--into', 'another']],
  ['reshard', /restoring\/shards-3\/db\/CURRENT/, ['reshard', ...WHOLE, '--to', '3']],
];

const listOf = async (folder: string): Promise<string[]> => {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  return (
    found
      .map((each) => join(each.parentPath, each.isDirectory() ? `${each.name}/` : each.name))
      // What RocksDB writes when it opens a store, and folders that hold nothing, but for temporary ones.
      .map((path) => path.replace(/\/db\/.*/, '/db/'))
      .filter((path) => !path.endsWith('/') || /\/db\/$|\/twhin-work-\w+/.test(path))
      .filter((path, i, all) => all.indexOf(path) === i)
      .sort()
  );
};

/** Runs a command that is interrupted at the sight of a file. Gives what the place has after it that it had not before. */
async function interrupted({ folder }: Place, [, at, argv]: Case) {
  const before = await listOf(folder);
  const child = spawn(process.execPath, ['--import', INTERRUPTS, COMMAND, ...argv], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      KAFKA_BROKERS: `file:${join(folder, 'log')}`,
      TWHIN_STATE: join(folder, 'state'),
      TMPDIR: join(folder, 'temporary'),
      INTERRUPT_AT: at.source,
      INTERRUPT_BELOW: folder,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  const after = await listOf(folder);
  return { code, said, left: after.filter((path) => !before.includes(path)) };
}

describe.each([
  ['a graph', OF_A_GRAPH, CONFIG, 'engagement'],
  ['shards', OF_SHARDS, shardedConfig(2), 'engagement-0'],
] as const)('Ctrl-C leaves nothing behind, with %s', (_, cases, config, graph) => {
  let here: Place;
  beforeAll(async () => {
    here = await filledPlace(config);
    await mkdir(join(here.folder, 'temporary'));
    await mkdir(join(here.folder, 'backups'));
    await succeeded(here.run('backup', join(here.folder, 'saved'), ...WHOLE));
  });
  afterAll(() => here.remove());

  test.each(cases)('in twhin %s', async (...of) => {
    const { code, said, left } = await interrupted(here, of);
    expect({ left, code, said }).toEqual({ left: [], code: expect.toBeOneOf([1, 130]), said });
    expect(said).not.toMatch(/\n\s+at /);
    expect(existsSync(join(here.folder, 'state', graph, 'db'))).toBe(true);
  });
});
