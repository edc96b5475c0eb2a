import { expect, onTestFinished, test } from 'vitest';
import { ThreadCalls } from '../../src/adapters/threads.ts';
import { FatalError } from '../../src/errors/errors.ts';

/** Answers nothing to `wait`, dies at `die`, and answers other calls with their argument. */
const ENTRY = `
  import { parentPort } from 'node:worker_threads';
  parentPort.on('message', ({ call, method, argument }) => {
    if (method === 'die') throw new Error('out of luck');
    if (method === 'echo') parentPort.postMessage({ call, answer: argument });
  });
`;

interface Methods {
  echo(bytes: Uint8Array<ArrayBuffer>): Uint8Array;
  wait(none?: undefined): void;
  die(none?: undefined): void;
}

const gone = new FatalError('fault', 'it was stopped');

function calls(died: (error: FatalError) => void = () => {}) {
  const made = new ThreadCalls<Methods>({
    entry: new URL(`data:text/javascript,${encodeURIComponent(ENTRY)}`),
    data: undefined,
    name: 'test',
    dead: (reason, cause) => new FatalError('thread', reason, { cause }),
    died,
  });
  onTestFinished(() => {
    made.drop(gone);
    return made.stop(gone);
  });
  return made;
}

test('an argument moves where that is asked for; one that has moved already fails its call alone', async () => {
  const made = calls();
  const bytes = Uint8Array.of(1, 2, 3, 4);
  expect(await made.ask('echo', bytes)).toEqual(Uint8Array.of(1, 2, 3, 4));
  expect(bytes.length).toBe(4);
  expect(await made.ask('echo', bytes, [bytes.buffer])).toEqual(Uint8Array.of(1, 2, 3, 4));
  expect(bytes.length).toBe(0);
  await expect(made.ask('echo', bytes, [bytes.buffer])).rejects.toMatchObject({ name: 'DataCloneError' });
});

test('a thread that dies fails the calls that wait and later ones, and is told once', async () => {
  const told: FatalError[] = [];
  const made = calls((error) => told.push(error));
  const waiting = [made.ask('wait', undefined), made.ask('die', undefined)];
  for (const settled of await Promise.allSettled(waiting))
    expect(settled).toMatchObject({ reason: { code: 'thread', message: 'out of luck' } });
  await expect(made.ask('echo', new Uint8Array(1))).rejects.toBe(told[0]);
  await made.stop(gone);
  expect(told.length).toBe(1);
});

test('calls that are dropped fail at once, and the thread answers later ones', async () => {
  const made = calls();
  const dropped = made.ask('echo', Uint8Array.of(1));
  made.drop(gone);
  await expect(dropped).rejects.toBe(gone);
  expect(await made.ask('echo', Uint8Array.of(2))).toEqual(Uint8Array.of(2));
});
