import { readdirSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { TokenBucket } from '../adapters/token-bucket.ts';
import type { Limit } from '../replay/merged-log.ts';

/** The pace of a replay. */
export interface ReplayPaceOptions {
  /** Events a second. */
  readonly rate?: number;
  /** Share of one core, over time. */
  readonly cpuShare?: number;
}

/** Records between two readings of the processor time. */
const CPU_RECORDS = 128;
/** Seconds' worth of records that may be read at once. */
const RATE_BURST_S = 0.1;

/** At most `ratePerS` records a second. now: epoch ms. */
export function rateLimit(ratePerS: number, now: () => number): Limit {
  const bucket = new TokenBucket(ratePerS, now);
  return {
    records: Math.max(1, Math.floor(ratePerS * RATE_BURST_S)),
    waitMs: (records) => bucket.take(records),
  };
}

/**
 * At most `share` of one core over time. The processor time that all threads used is paid back in pauses before more
 * records are handed over. now: epoch ms; cpuMs: processor time used so far.
 */
export function cpuLimit(share: number, now: () => number, cpuMs: () => number): Limit {
  const bucket = new TokenBucket(share * 1_000, now);
  let before = cpuMs();
  return {
    records: CPU_RECORDS,
    waitMs: () => {
      const used = cpuMs() - before;
      before += used;
      return bucket.take(used);
    },
  };
}

export function processCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/**
 * Gives the whole process the lowest priority; new threads inherit it. On Linux each thread has a priority of its own, so
 * the existing threads get it one by one.
 */
export function lowerPriority(threads: readonly number[] = threadsThereAre()): void {
  for (const thread of threads) {
    try {
      setPriority(thread, constants.priority.PRIORITY_LOW);
    } catch (error) {
      // A thread may have ended since it was listed.
      if (!isGone(error)) throw error;
    }
  }
}

function threadsThereAre(): number[] {
  return process.platform === 'linux' ? readdirSync('/proc/self/task').map(Number) : [process.pid];
}

function isGone(error: unknown): boolean {
  return error instanceof Error && 'errno' in error && error.errno === -constants.errno.ESRCH;
}
