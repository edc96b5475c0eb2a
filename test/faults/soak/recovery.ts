import { setTimeout as sleep } from 'node:timers/promises';
import type { Faulty } from '../deployment.ts';

/** What it took to be back after a fault. */
export interface Recovery {
  readonly kind: string;
  /** Since the soak began. */
  readonly atS: number;
  /** Until every record that was fed when the fault was over was in the stores; undefined: not within the limit. */
  readonly caughtUpMs: number | undefined;
  /** Until the first commit after the fault was over. */
  readonly firstCommitMs: number | undefined;
}

const LOOK_EVERY_MS = 200;

/** Waits until the stores hold all that was acknowledged by now, however long the way there, up to `limitMs`. */
export async function recovered(
  faulty: Faulty,
  limitMs: number,
): Promise<Pick<Recovery, 'caughtUpMs' | 'firstCommitMs'>> {
  const over = Date.now();
  const wanted = faulty.graphs.map((graph) => faulty.fed(graph));
  const before = await Promise.all(faulty.graphs.map((graph) => faulty.consumed(graph)));
  let firstCommitMs: number | undefined;
  while (Date.now() - over < limitMs) {
    const now = await Promise.all(faulty.graphs.map((graph) => faulty.consumed(graph)));
    if (now.some((consumed, i) => consumed !== before[i])) firstCommitMs ??= Date.now() - over;
    if (now.every((consumed, i) => consumed >= (wanted[i] ?? 0)))
      return { caughtUpMs: Date.now() - over, firstCommitMs };
    await sleep(LOOK_EVERY_MS);
  }
  return { caughtUpMs: undefined, firstCommitMs };
}
