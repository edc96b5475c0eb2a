import { setTimeout as sleep } from 'node:timers/promises';
import { RetryableError } from '../../src/errors/errors.ts';
import type { Message, Sink } from '../../src/pipeline/ports.ts';

const AGAIN_MS = 100;
const LIMIT_MS = 90_000;

/** Publishes as the pipeline does: retries after a RetryableError. */
export async function publishAgain(sink: Sink, messages: readonly Message[]): Promise<void> {
  for (const deadline = Date.now() + LIMIT_MS; ; ) {
    try {
      await sink.publish(messages);
      return;
    } catch (error) {
      const passes = error instanceof RetryableError && error.code !== 'refused' && error.code !== 'stopped';
      if (!passes || Date.now() > deadline) throw error;
      await sleep(AGAIN_MS);
    }
  }
}
