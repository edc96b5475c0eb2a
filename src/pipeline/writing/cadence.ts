import type { PendingCommit } from '../reading/unwritten.ts';
import type { Pace, Publishing } from '../tuning.ts';
import type { Committer } from './committer.ts';

/** The updater is behind when the newest record applied is older than this and a batch of records waits. */
const BEHIND_MS = 5_000;
const WAITING_RECORDS = 1_024;
/** Commits are so many times rarer then: each is two writes and a transaction. A write holds the event loop the longer, the more it has. */
const RARER = 2;
/** A vector is held back for LAGS times as long as the updater is behind, and at most for AGES times `publish.maxAgeMs`. */
const [LAGS, AGES] = [8, 4];

/** When commits are due. */
export class Cadence {
  /**
   * Minimum interval between two publications of a vector while the updater is behind, with reading or with
   * publishing: some times as long as the updater is behind. No vector is fresh then in any case, and each publication
   * costs time in which the updater would catch up. 0: no minimum.
   */
  holdMs = 0;
  /** When the last commit was asked for, epoch ms. */
  #lastAt: number;
  readonly #tuning: Pace & Pick<Publishing, 'maxAgeMs'>;
  readonly #clock: () => number;

  constructor(tuning: Pace & Pick<Publishing, 'maxAgeMs'>, clock: () => number) {
    this.#tuning = tuning;
    this.#clock = clock;
    this.#lastAt = clock();
  }

  asked(): void {
    this.#lastAt = this.#clock();
  }

  /**
   * Looks at how far behind the updater is. appliedAt: the log's time of the newest record applied, epoch ms.
   * waiting: records that wait behind it. unsent: arrival of the oldest record whose vector is not acknowledged,
   * epoch ms.
   */
  look(appliedAt: number | undefined, waiting: number, unsent: number | undefined): void {
    // Where batches are cut by count alone, no clock decides what is published.
    if (this.#tuning.lingerMs === Number.POSITIVE_INFINITY) return;
    const now = this.#clock();
    const late = waiting >= WAITING_RECORDS ? now - (appliedAt ?? now) : 0;
    const behindMs = Math.max(late, now - (unsent ?? now));
    this.holdMs = behindMs > BEHIND_MS ? Math.min(LAGS * behindMs, AGES * this.#tuning.maxAgeMs) : 0;
  }

  /** Whether the pending commit holds so much that it must be written before another record is applied. */
  isFull(pending: PendingCommit): boolean {
    return pending.isFull(this.#tuning);
  }

  isDue(pending: PendingCommit, committer: Pick<Committer, 'busy' | 'held' | 'isOutdated'>): boolean {
    const { commitEdges, commitMs } = this.#tuning;
    if (pending.trained >= commitEdges || this.isFull(pending)) return true;
    // Vectors that were held back are put up though no further record comes.
    const released = committer.held > 0 && this.holdMs === 0;
    const waiting = pending.records > 0 || released || committer.isOutdated;
    const everyMs = this.holdMs > 0 ? RARER * commitMs : commitMs;
    // A clock that is set back holds up no commit.
    return waiting && !committer.busy && Math.abs(this.#clock() - this.#lastAt) >= everyMs;
  }
}
