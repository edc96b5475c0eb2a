import { setTimeout as sleep } from 'node:timers/promises';

/** Time to wait after failed attempt `attempt` (from 1), in ms: doubles from 200 ms to 5 s, minus up to half at random. */
export function backoffMs(attempt: number): number {
  const full = Math.min(200 * 2 ** (attempt - 1), 5000);
  return full * (1 - Math.random() / 2);
}

/** Waits for `ms`; returns early when `signal` fires. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await sleep(ms, undefined, signal && { signal }).catch((error: unknown) => {
    if (signal?.aborted !== true) throw error;
  });
}
