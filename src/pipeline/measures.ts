/**
 * What an updater tells of its work as it does it, beside what it counts ({@link Progress}): each call once a batch, a
 * commit or a send, or once a vector. Times in ms. A call is cheap and never throws.
 */
export interface Measures {
  /** A batch of so many edges goes to the trainer; since its first record arrived. */
  batch(edges: number, ms: number): void;
  /** The trainer answered; since the batch was handed over, those before it included. */
  step(ms: number): void;
  /** A commit is written; since it was asked for, those before it included. */
  commit(ms: number): void;
  /** So many vectors and tombstones are acknowledged; since they were read from the store. */
  publish(vectors: number, ms: number): void;
  /** A vector that an event moved is acknowledged; since that event's record arrived, and since the event happened. */
  fresh(sinceArrivalMs: number, sinceEventMs: number): void;
}

export const noMeasures: Measures = { batch() {}, step() {}, commit() {}, publish() {}, fresh() {} };
