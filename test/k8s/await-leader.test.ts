import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, test } from 'vitest';
import { ROOT } from './rendered.ts';

let server: Server | undefined;
afterEach(() => server?.close());

/** Answers requests with these in turn, and then always with the last. */
async function leader(...statuses: number[]): Promise<string> {
  const listening = createServer((_, response) => {
    response.statusCode = statuses.length > 1 ? (statuses.shift() ?? 500) : (statuses[0] ?? 500);
    response.end();
  });
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const address = listening.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `http://127.0.0.1:${address.port}/readyz`;
}

function start(...args: string[]) {
  const script = join(ROOT, 'k8s', 'standby', 'await-leader.mjs');
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = Promise.all([text(child.stdout), once(child, 'close')]);
  return {
    ...{ child, first: once(child.stdout, 'data') },
    ended: ended.then(([said, [code]]) => ({ code, said })),
  };
}

describe('a standby that starts', () => {
  test('waits until its leader is ready', async () => {
    const { code, said } = await start(await leader(503, 200), '60').ended;
    expect(code).toBe(0);
    expect(said).toMatch(/answers 503\n.*is ready\n$/s);
  });

  test('does not wait for ever for a leader that is not ready or missing', async () => {
    const { code, said } = await start(await leader(503), '1').ended;
    expect([code, said]).toEqual([0, expect.stringContaining('answers 503')]);
    const gone = await start('http://127.0.0.1:9/readyz', '0').ended;
    expect([gone.code, gone.said]).toEqual([0, expect.stringContaining('does not answer: ')]);
  });

  test('ends at once on a signal', async () => {
    const waiting = start(await leader(503), '60');
    await waiting.first;
    waiting.child.kill('SIGTERM');
    expect((await waiting.ended).code).toBe(1);
  });
});
