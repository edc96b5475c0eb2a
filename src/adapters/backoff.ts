import { setTimeout as sleep } from 'node:timers/promises';
import { RetryableError, reasonOf, TwhinError } from '../errors/errors.ts';
import type { Trouble } from '../pipeline/ports.ts';

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

export interface Failure extends Pick<Trouble, 'since' | 'attempt'> {
  readonly error: unknown;
}

export interface Retrying {
  /** Nothing is retried once it fires. */
  readonly signal?: AbortSignal | undefined;
  /** The last attempt begins at this time, epoch ms, or before. */
  readonly until?: number | undefined;
  /** Whether a failure may pass; unless given, a RetryableError may. */
  mayPass?(failure: Failure): boolean;
  onTrouble?(failure: Failure): void;
}

/**
 * The result of `work`, which is retried after a wait until it succeeds. work: calls `heard` once it has come so far that a later
 * failure is a first one.
 * @throws the failure that can't pass, or the last one at the signal or the end of the time.
 */
export async function retrying<T>(
  work: (heard: () => void) => Promise<T>,
  {
    signal,
    until = Number.POSITIVE_INFINITY,
    mayPass = ({ error }) => error instanceof RetryableError,
    onTrouble,
  }: Retrying,
): Promise<T> {
  let [attempt, since] = [0, 0];
  const heard = () => {
    attempt = 0;
  };
  for (;;) {
    try {
      return await work(heard);
    } catch (error) {
      if (attempt === 0) since = Date.now();
      attempt++;
      const failure = { error, attempt, since };
      const leftMs = until - Date.now();
      if (signal?.aborted || !mayPass(failure) || leftMs <= 0) throw error;
      onTrouble?.(failure);
      await pause(Math.min(backoffMs(attempt), leftMs), signal);
      if (signal?.aborted) throw error;
    }
  }
}

export function troubleOf(brokers: string, { error, attempt, since }: Failure): Trouble {
  const code = (error instanceof TwhinError ? error.code : undefined) ?? 'client-fault';
  return { brokers, since, attempt, code, reason: reasonOf(error) };
}
