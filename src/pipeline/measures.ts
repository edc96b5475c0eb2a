/** What of a commit was acknowledged with a sweep: vectors, by the commit that moved them last. */
export type ByCommit = ReadonlyMap<number, number>;

/**
 * What an updater tells of its work as it does it, beside what it counts ({@link Progress}): each call once a batch, a
 * commit or a send, or once a vector. Times in ms. A call is cheap and never throws.
 */
export interface Measures {
  /** A batch of so many edges goes to the trainer; since the source handed its first record over. */
  batch(edges: number, ms: number): void;
  /** The trainer answered, batch after batch; since this one was handed over, those before it included. */
  step(ms: number): void;
  /** A commit is asked for: the batches handed over since the one before are in it. */
  asked(commit: number): void;
  /** A commit of so many records, with so many vectors to publish, is written; since it was asked for. */
  commit(commit: number, ms: number, size: { readonly records: number; readonly vectors: number }): void;
  /** So many vectors and tombstones are acknowledged; since they were read from the store. */
  publish(vectors: number, ms: number, by: ByCommit): void;
  /** Nothing that the commit moved waits any longer: acknowledged, or moved again by a later one. */
  acknowledged(commit: number): void;
  /** A vector that an event moved is acknowledged; since that event's record arrived, and since the event happened. */
  fresh(sinceArrivalMs: number, sinceEventMs: number): void;
}

export const noMeasures: Measures = {
  batch() {},
  step() {},
  asked() {},
  commit() {},
  publish() {},
  acknowledged() {},
  fresh() {},
};

/** Tells both, the first one first. */
export function both(first: Measures, second: Measures): Measures {
  return {
    batch: (edges, ms) => {
      first.batch(edges, ms);
      second.batch(edges, ms);
    },
    step: (ms) => {
      first.step(ms);
      second.step(ms);
    },
    asked: (commit) => {
      first.asked(commit);
      second.asked(commit);
    },
    commit: (commit, ms, size) => {
      first.commit(commit, ms, size);
      second.commit(commit, ms, size);
    },
    publish: (vectors, ms, by) => {
      first.publish(vectors, ms, by);
      second.publish(vectors, ms, by);
    },
    acknowledged: (commit) => {
      first.acknowledged(commit);
      second.acknowledged(commit);
    },
    fresh: (sinceArrivalMs, sinceEventMs) => {
      first.fresh(sinceArrivalMs, sinceEventMs);
      second.fresh(sinceArrivalMs, sinceEventMs);
    },
  };
}
