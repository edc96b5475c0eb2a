import { type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { freshFolder } from '../fresh-folder.ts';

const BIN = join(import.meta.dirname, '..', '..', 'bin', 'twhin.js');
const DEFAULTS = `there is no twhin.config.ts in ${tmpdir()}: the defaults count, with the graphs engagement, follow\n`;

const env = { ...process.env, KAFKA_BROKERS: `file:${join(tmpdir(), 'twhin-no-such-log')}` };

test('a reader that has read enough ends the command quietly', async () => {
  const child = spawn(process.execPath, [BIN, 'topics', 'plan'], { env, cwd: tmpdir() });
  child.stdout.destroy();
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: DEFAULTS });
});

// Where every write fails, as on a full disk.
describe.skipIf(process.platform !== 'linux')('on a full disk', () => {
  test('results that cannot be written are a failure in one line', async () => {
    await using full = await open('/dev/full', 'w');
    const child = spawn(process.execPath, [BIN, 'topics', 'plan'], {
      env,
      cwd: tmpdir(),
      stdio: ['ignore', full.fd, 'pipe'],
    });
    const [stderr, [code]] = await Promise.all([text(child.stderr!), once(child, 'close')]);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `${DEFAULTS}twhin: the results can't be written: ENOSPC: no space left on device, write\n`,
    });
  });

  test('what cannot be said or logged is lost, and the command goes on', async () => {
    await using full = await open('/dev/full', 'w');
    const folder = await freshFolder();
    const stdio: StdioOptions = ['ignore', 'pipe', full.fd];
    const own = { ...env, KAFKA_BROKERS: `file:${join(folder, 'log')}`, TWHIN_STATE: join(folder, 'state') };
    const said: string[] = [];
    for (const argv of [['run', '--create-topics', '--until-caught-up'], ['stats']]) {
      const child = spawn(process.execPath, [BIN, ...argv], { env: own, cwd: tmpdir(), stdio });
      const [stdout, [code]] = await Promise.all([text(child.stdout!), once(child, 'close')]);
      expect([argv, code]).toEqual([argv, 0]);
      said.push(stdout);
    }
    expect(said).toEqual(['', expect.stringMatching(/^engagement {2}\(main in /)]);
  });
});
