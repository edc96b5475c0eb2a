import { RetryableError } from '../errors/errors.ts';

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5_000;

/**
 * Repeats `work` for as long as the log is out of reach, or until `stopping` fires. retrying: told of each failure that is followed
 * by another attempt.
 * @throws what `work` throws otherwise; RetryableError `stopped` when `stopping` fires.
 */
export async function patiently<T>(
  work: () => Promise<T>,
  stopping: AbortSignal,
  retrying: (error: RetryableError, pauseMs: number) => void = () => {},
): Promise<T> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof RetryableError) || error.code === 'stopped') throw error;
      retrying(error, pauseMs);
    }
    await pauseUnless(stopping, pauseMs);
  }
}

/** Waits for `ms`. @throws RetryableError `stopped` when `stopping` fires meanwhile, or fired before. */
export async function pauseUnless(stopping: AbortSignal, ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const timer = setTimeout(resolve, ms);
  stopping.addEventListener('abort', resolve);
  if (!stopping.aborted) await promise;
  // A signal may outlive thousands of pauses.
  stopping.removeEventListener('abort', resolve);
  clearTimeout(timer);
  if (stopping.aborted) throw new RetryableError('stopped', 'stopped before another attempt');
}
