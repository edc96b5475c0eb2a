import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const CLI = join(import.meta.dirname, '..', '..', 'src', 'cli');
const PROGRAM = `
  import { pino } from 'pino';
  import { toStderr } from '${join(CLI, 'logging.ts')}';
  import { terminal } from '${join(CLI, 'output.ts')}';
  const log = pino({ base: null, timestamp: false }, toStderr());
  terminal.status('10 of 30 events are read');
  log.info({ graph: 'follow' }, 'ready');
  terminal.status('20 of 30 events are read');
  log.info('stopping');`;

// script of util-linux gives a program a terminal, whose width is 0 where script has none itself.
test.skipIf(process.platform !== 'linux')('the shown line stays below the lines of the log, whole', () => {
  const command = '"$NODE" --input-type=module --eval "$PROGRAM"';
  const env = { ...process.env, NODE: process.execPath, PROGRAM, NO_COLOR: '1' };
  const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], { env, encoding: 'utf8' });
  const screen = stdout.split('\r\n').map((line) => line.split('\r\u001b[2K').at(-1));
  expect(screen).toEqual([
    'INFO: ready',
    '    graph: "follow"',
    'INFO: stopping',
    '20 of 30 events are read',
  ]);
});
