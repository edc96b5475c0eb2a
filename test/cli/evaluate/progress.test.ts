import { expect, test } from 'vitest';
import { EvaluationProgress } from '../../../src/cli/evaluate/progress.ts';
import { silentLog } from '../../../src/log.ts';

const output = { out() {}, err() {}, status() {}, statusDone() {} };

/** A shard that is trained until it is told to end, or ends by itself. */
class Shard {
  readonly ended = Promise.withResolvers<void>();
  abandoned = false;
  readonly updater = {
    run: () => this.ended.promise,
    abandon: () => {
      this.abandoned = true;
      return true;
    },
    progress: () => ({ phase: 'running' }),
  };
  readonly merged = { reached: () => 0 };
}

test('where one shard fails, the others are told to end and have ended when the failure is thrown', async () => {
  const { signal: stopping } = new AbortController();
  const progress = new EvaluationProgress('engagement', { output, log: () => silentLog, stopping });
  const [failing, other] = [new Shard(), new Shard()];
  let over = false;
  const training = progress.trainTogether([failing, other], [], {}).finally(() => {
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
