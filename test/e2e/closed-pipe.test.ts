import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const BIN = join(import.meta.dirname, '..', '..', 'bin', 'twhin.js');

test('a reader that has read enough ends the command quietly', async () => {
  const env = { ...process.env, KAFKA_BROKERS: `file:${join(tmpdir(), 'twhin-no-such-log')}` };
  const child = spawn(process.execPath, [BIN, 'topics', 'plan'], { env, cwd: tmpdir() });
  child.stdout.destroy();
  let stderr = '';
  child.stderr.on('data', (bytes: Buffer) => {
    stderr += bytes.toString();
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: `there is no twhin.config.ts in ${tmpdir()}: the defaults count, with the graphs engagement, follow\n`,
  });
});
