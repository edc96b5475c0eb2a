import { RetryableError } from '../errors/errors.ts';
import type { Source } from './ports.ts';

/**
 * Does `work` again for as long as it is the log that is out of reach; `source` waits in between until it answers.
 * @throws what `work` throws otherwise; RetryableError `stopped` when the source is stopped meanwhile.
 */
export async function patiently<T>(source: Pick<Source, 'committed'>, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof RetryableError) || error.code === 'stopped') throw error;
      await source.committed();
    }
  }
}
