import { expect, test } from 'vitest';
import { trainToEnd } from '../../src/compose/replay.ts';

const watch = { tell() {} };

/** A part that is trained until it is told to end, or ends by itself. */
class Part {
  readonly ended = Promise.withResolvers<void>();
  abandoned = false;
  /** Whether all is read. */
  readonly done: boolean;
  readonly updater = {
    run: () => this.ended.promise,
    abandon: () => {
      this.abandoned = true;
      return !this.done;
    },
    progress: () => ({ phase: 'running' }),
  };
  readonly merged = { reached: () => 7 };

  constructor(done = false) {
    this.done = done;
  }
}

test('where one part fails, the others are told to end and have ended when the failure is thrown', async () => {
  const { signal } = new AbortController();
  const [failing, other] = [new Part(), new Part()];
  let over = false;
  const training = trainToEnd([failing, other], [], { ...watch, stopping: signal }).finally(() => {
    over = true;
  });
  const seen = expect(training).rejects.toThrow('the disk is full');
  failing.ended.reject(new Error('the disk is full'));
  await expect.poll(() => other.abandoned).toBe(true);
  // Its store is still open: a folder that is removed now is removed under it.
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
  expect(over).toBe(false);
  other.ended.resolve();
  await seen;
});

test.each([
  ['before all is read ends it there', false, 0],
  ['after all is read changes nothing', true, 1],
])('a signal %s', async (_, done, late) => {
  const stop = new AbortController();
  const part = new Part(done);
  let tooLate = 0;
  const told: unknown[] = [];
  const range = [{ topic: 't', partition: 0, from: 3, until: 9 }];
  const training = trainToEnd([part], range, {
    stopping: stop.signal,
    tell: (progress) => told.push(progress),
    tooLate: () => tooLate++,
  });
  stop.abort();
  expect([part.abandoned, tooLate]).toEqual([true, late]);
  part.ended.resolve();
  expect(await training).toBe(done);
  expect(told.at(-1)).toMatchObject({ phase: 'running', done: 4, of: 6 });
});
