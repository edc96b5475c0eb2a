import type { PendingCommit } from '../reading/unwritten.ts';
import type { Pace } from '../tuning.ts';

/** Behind: the newest record applied is older than this, and a batch of others waits. */
const BEHIND_MS = 5_000;
const WAITING_RECORDS = 1_024;
/** Then a commit takes in so many times as many edges, or as much time. */
const STRETCH = 8;
/** The first ones of a process are not: what it does is to be seen soon. */
const FIRST_COMMITS = 2;
/**
 * It may write all rows of a table that has so many times as many as it is to write at most. In a larger one few move twice
 * in that time.
 */
const SMALL_TABLE = 1.25;

/** What makes a commit due, beside what is pending. */
interface Writing {
  /** Acknowledged vectors that the store does not know to be. */
  readonly publisher: { readonly cleared: number };
  /** A commit is being written; vectors that the last one held back. */
  readonly committer: { readonly busy: boolean; readonly held: number };
  /** As many rows as the table has. */
  readonly index: { readonly nextRow: number };
}

/**
 * When commits are due. One that catches up writes larger ones: a row that moves ten times in that time is written
 * once, and no vector is as fresh as what it is behind by in any case.
 */
export class Cadence {
  /**
   * How far behind it is, with what it reads or with what it publishes. A vector that was published is not published again before
   * it is as old: none is fresher in any case, and each costs it, and who reads it, as much as a fresh one. 0: as soon as it moved.
   */
  holdMs = 0;
  /** When the last commit was asked for, epoch ms; and how many were. */
  #lastAt = 0;
  #asked = 0;
  readonly #tuning: Pace;
  readonly #clock: () => number;
  #pace: Pace;

  /** tuning: may change while this is in use. */
  constructor(tuning: Pace, clock: () => number) {
    this.#tuning = tuning;
    this.#clock = clock;
    this.#pace = tuning;
  }

  /** Time until the first commit runs from now on. rows: that the table had at the last one. */
  begin(rows: number): void {
    this.#lastAt = this.#clock();
    this.#count(rows);
  }

  /** A commit is asked for, of a table of so many rows. */
  asked(rows: number): void {
    this.#asked++;
    this.begin(rows);
  }

  /**
   * Where commits are cut by count, how large the next is to be: it may depend on nothing but what the last one wrote, or
   * the same records would not give the same commits, from the beginning and after a kill.
   */
  #count(rows: number): void {
    const { commitEdges, commitRows, rowsPerEdge } = this.#tuning;
    if (rowsPerEdge === undefined) return;
    const within = Math.floor(commitRows / (rowsPerEdge * commitEdges));
    const times = this.#isSmall(rows) ? STRETCH : Math.max(1, Math.min(STRETCH, within));
    this.#pace = { ...this.#tuning, commitEdges: commitEdges * times };
  }

  /**
   * appliedAt: time of the newest record applied, epoch ms, by the log; waiting: records at hand behind it; unsent: when the
   * oldest record came whose vector is not acknowledged, epoch ms.
   */
  look(appliedAt: number | undefined, waiting: number, unsent: number | undefined): void {
    // Where batches are cut by count alone, commits must be as well: a full one cuts a batch.
    if (this.#tuning.lingerMs === Number.POSITIVE_INFINITY) return;
    const now = this.#clock();
    const late = waiting >= WAITING_RECORDS ? now - (appliedAt ?? now) : 0;
    const vectorsLate = now - (unsent ?? now);
    const catchesUp = late > BEHIND_MS && this.#asked >= FIRST_COMMITS;
    this.holdMs = Math.max(late, vectorsLate) > BEHIND_MS ? Math.max(late, vectorsLate) : 0;
    const { commitEdges, commitMs } = this.#tuning;
    this.#pace = catchesUp
      ? { ...this.#tuning, commitEdges: commitEdges * STRETCH, commitMs: commitMs * STRETCH }
      : this.#tuning;
  }

  #isSmall(rows: number): boolean {
    return rows <= SMALL_TABLE * this.#tuning.commitRows;
  }

  /** The pending commit holds so much that it must be written before anything else is applied. */
  isFull(pending: PendingCommit): boolean {
    return pending.isFull(this.#pace);
  }

  /** changedRows: that a commit now would write. */
  isDue(
    pending: PendingCommit,
    { publisher, committer, index }: Writing,
    training: { changedRows: number },
  ): boolean {
    const { commitEdges, commitMs } = this.#pace;
    if (pending.trained >= commitEdges || this.isFull(pending)) return true;
    // What moved is reported when it comes, and no measure where the same records are to give the same commits.
    const byRows = this.#tuning.rowsPerEdge === undefined && !this.#isSmall(index.nextRow);
    const many = byRows && training.changedRows >= this.#tuning.commitRows;
    if (many && pending.trained >= this.#tuning.commitEdges) return true;
    // What was held back needs no record to come before it is put up.
    const released = committer.held > 0 && this.holdMs === 0;
    const waiting = pending.records > 0 || publisher.cleared > 0 || released;
    return waiting && !committer.busy && this.#clock() - this.#lastAt >= commitMs;
  }
}
