import type { Pace } from '../tuning.ts';
import type { PendingCommit } from './pending-commit.ts';

/** Behind: the newest record applied is older than this, and a batch of others waits. */
const BEHIND_MS = 5_000;
const WAITING_RECORDS = 1_024;
/** Then a commit takes in so many times as many edges, or as much time. */
const STRETCH = 8;
/** Rows that a stretched commit is to write at most, as far as can be told beforehand: 280 MB of 128 dimensions. */
const MOST_ROWS = 512 * 1024;

/** What makes a commit due, beside what is pending. */
interface Writing {
  /** Acknowledged vectors that the store does not know to be. */
  readonly publisher: { readonly cleared: number };
  /** A commit is being written. */
  readonly committer: { readonly busy: boolean };
}

/**
 * When commits are due. One that catches up writes larger ones: a row that moves ten times in that time is written
 * once, and no vector is as fresh as what it is behind by in any case.
 */
export class Cadence {
  /** Of the last commit asked for, epoch ms. */
  lastAt = 0;
  readonly #tuning: Pace;
  readonly #clock: () => number;
  #pace: Pace;

  /** tuning: may change while this is in use. */
  constructor(tuning: Pace, clock: () => number) {
    this.#tuning = tuning;
    this.#clock = clock;
    this.#pace = tuning;
  }

  /** appliedAt: time of the newest record applied, epoch ms, by the log; waiting: records at hand behind it. */
  look(appliedAt: number | undefined, waiting: number): void {
    const behind = appliedAt !== undefined && this.#clock() - appliedAt > BEHIND_MS;
    const { commitEdges, commitMs } = this.#tuning;
    this.#pace =
      behind && waiting >= WAITING_RECORDS
        ? { ...this.#tuning, commitEdges: commitEdges * STRETCH, commitMs: commitMs * STRETCH }
        : this.#tuning;
  }

  /** The pending commit holds so much that it must be written before anything else is applied. */
  isFull(pending: PendingCommit): boolean {
    return pending.isFull(this.#pace);
  }

  /** changedRows: that a commit now would write. */
  isDue(
    pending: PendingCommit,
    { publisher, committer }: Writing,
    training: { changedRows: number },
  ): boolean {
    const { commitEdges, commitMs } = this.#pace;
    if (pending.trained >= commitEdges || this.isFull(pending)) return true;
    if (training.changedRows >= MOST_ROWS && pending.trained >= this.#tuning.commitEdges) return true;
    const waiting = pending.records > 0 || publisher.cleared > 0;
    return waiting && !committer.busy && this.#clock() - this.lastAt >= commitMs;
  }
}
