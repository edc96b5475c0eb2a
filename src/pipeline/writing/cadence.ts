import type { PendingCommit } from '../reading/unwritten.ts';
import type { Pace } from '../tuning.ts';

/** The updater is behind when the newest record applied is older than this and a batch of records waits. */
const BEHIND_MS = 5_000;
const WAITING_RECORDS = 1_024;
/** Factor by which commits grow, in edges and in time, while the updater is behind. */
const STRETCH = 8;
/** The first commits of a process stay small, so that its work is seen soon. */
const FIRST_COMMITS = 2;
/**
 * A table of up to so many times `commitRows` rows counts as small: a commit may write all of it. In a larger table
 * few rows move twice between two commits.
 */
const SMALL_TABLE = 1.25;

/** What makes a commit due, beside the pending commit. */
interface Writing {
  /** Stored parts of the outbox that are acknowledged and still to be deleted. */
  readonly publisher: { readonly cleared: number };
  /** Whether a commit is being written, and how many vectors the last one held back. */
  readonly committer: { readonly busy: boolean; readonly held: number };
  /** Rows of the table. */
  readonly index: { readonly nextRow: number };
}

/**
 * When commits are due. An updater that is behind writes larger commits: a row that moves ten times meanwhile is
 * written once, and its vector could not be fresh in any case.
 */
export class Cadence {
  /**
   * Minimum interval between two publications of a vector while the updater is behind, with reading or with
   * publishing: as long as the updater is behind. A vector could not be fresher in any case, and each publication
   * costs the updater and every reader. 0: no minimum.
   */
  holdMs = 0;
  /** When the last commit was asked for, epoch ms, and how many were. */
  #lastAt = 0;
  #asked = 0;
  readonly #tuning: Pace;
  readonly #clock: () => number;
  #pace: Pace;

  constructor(tuning: Pace, clock: () => number) {
    this.#tuning = tuning;
    this.#clock = clock;
    this.#pace = tuning;
  }

  /** Starts the time until the first commit. rows: the rows of the table now. */
  begin(rows: number): void {
    this.#lastAt = this.#clock();
    this.#count(rows);
  }

  /** Notes that a commit of a table of so many rows is asked for. */
  asked(rows: number): void {
    this.#asked++;
    this.begin(rows);
  }

  /**
   * Sets how large the next commit is where commits are cut by count. It may depend on nothing but what the last
   * commit wrote: otherwise the same records would give other commits after a kill.
   */
  #count(rows: number): void {
    const { commitEdges, commitRows, rowsPerEdge } = this.#tuning;
    if (rowsPerEdge === undefined) return;
    const within = Math.floor(commitRows / (rowsPerEdge * commitEdges));
    const times = this.#isSmall(rows) ? STRETCH : Math.max(1, Math.min(STRETCH, within));
    this.#pace = { ...this.#tuning, commitEdges: commitEdges * times };
  }

  /**
   * Looks at how far behind the updater is. appliedAt: the log's time of the newest record applied, epoch ms.
   * waiting: records that wait behind it. unsent: arrival of the oldest record whose vector is not acknowledged,
   * epoch ms.
   */
  look(appliedAt: number | undefined, waiting: number, unsent: number | undefined): void {
    // Where batches are cut by count alone, commits must be as well: a full commit cuts a batch.
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

  /** Whether the pending commit holds so much that it must be written before another record is applied. */
  isFull(pending: PendingCommit): boolean {
    return pending.isFull(this.#pace);
  }

  /** changedRows: rows that a commit now would write. */
  isDue(
    pending: PendingCommit,
    { publisher, committer, index }: Writing,
    training: { changedRows: number },
  ): boolean {
    const { commitEdges, commitMs } = this.#pace;
    if (pending.trained >= commitEdges || this.isFull(pending)) return true;
    // The number of changed rows depends on when the trainer reports it, so it can't decide where the same records
    // are to give the same commits.
    const byRows = this.#tuning.rowsPerEdge === undefined && !this.#isSmall(index.nextRow);
    const many = byRows && training.changedRows >= this.#tuning.commitRows;
    if (many && pending.trained >= this.#tuning.commitEdges) return true;
    // Vectors that were held back are put up though no further record comes.
    const released = committer.held > 0 && this.holdMs === 0;
    const waiting = pending.records > 0 || publisher.cleared > 0 || released;
    // A clock that is set back holds up no commit.
    return waiting && !committer.busy && Math.abs(this.#clock() - this.#lastAt) >= commitMs;
  }
}
