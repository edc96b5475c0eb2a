import { setTimeout as sleep } from 'node:timers/promises';

/** Wait before attempt `attempt` (from 1): doubles from 200 ms up to 5 s, less up to half at random. In ms. */
export function backoffMs(attempt: number): number {
  const full = Math.min(200 * 2 ** (attempt - 1), 5000);
  return full * (1 - Math.random() / 2);
}

/** Waits, or returns early when `signal` fires. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (!signal.aborted) {
    await sleep(ms, undefined, { signal }).catch((error: unknown) => {
      if (!signal.aborted) {
        throw error;
      }
    });
  }
}
