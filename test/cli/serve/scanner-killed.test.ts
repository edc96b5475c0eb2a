import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { connect } from '../../../src/adapters/connect.ts';
import { declaredTopics } from '../../../src/config/declared-topics.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { freshFolder } from '../../fresh-folder.ts';

test('a thread that is killed ends twhin serve with an error', async () => {
  const dir = await freshFolder();
  const env = { KAFKA_BROKERS: `file:${join(dir, 'log')}`, TWHIN_STATE: join(dir, 'state') };
  const config = await loadConfig(env, dir);
  const log = await connect(config.kafka);
  await log.admin().create(declaredTopics(config));
  await log.close();
  const preload = new URL('./kills-scanners.js', import.meta.url).href;
  const command = join(import.meta.dirname, '..', '..', '..', 'bin', 'twhin.js');
  const options = ['--graph', 'follow', '--http', '127.0.0.1:0', '--threads', '1'];
  const child = spawn(process.execPath, ['--import', preload, command, 'serve', ...options], {
    env: { ...process.env, ...env },
    cwd: dir,
  });
  try {
    child.stdout.resume();
    const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    expect([code, said]).toEqual([
      1,
      expect.stringMatching(/a thread that scans died: it exited with code 9/),
    ]);
  } finally {
    child.kill('SIGKILL');
  }
});
