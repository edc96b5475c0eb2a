import { FatalError } from '../errors/errors.ts';

/** However long they take, so many requests are in hand at a time, and no more than the second; more than that wait. */
const [FEWEST, MOST] = [4, 64];
/** In hand at first. */
const FIRST = 16;
/** Most requests that wait. */
const MOST_WAITING = 256;
/** Before any was measured, ms of a request. */
const FIRST_MS = 10;
/** More are in hand only while a request takes less than this share of its time. */
const QUICK = 1 / 3;
/** How much each further request leaves of the time that was measured. */
const OLDER_SHARE = 0.9;

/** A request that has its turn. */
export interface Admitted {
  /** Ends the turn. Has to be called once. crowded: shards were too busy for it, if only for a while. */
  leave(crowded: boolean): void;
}

/** A request that waits for its turn. */
interface Waiting {
  readonly kind: string;
  /** By when it has to be answered. */
  readonly end: number;
  readonly turn: PromiseWithResolvers<Admitted>;
}

/** How long requests of a kind took of late, from their turn to their answer. */
class Took {
  ms = FIRST_MS;
  #measured = 0;

  /** The first ones count alike: code that is compiled, or a connection that is made, takes long once. */
  learn(ms: number): void {
    const weight = Math.max(1 / (1 + this.#measured), 1 - OLDER_SHARE);
    this.ms += weight * (ms - this.ms);
    this.#measured++;
  }
}

/**
 * Gives requests their turns, so many at a time as the shards can take, and refuses those that could not be answered in time:
 * when they come, by how long such requests took of late, and again when their turn comes. Four at a time are always tried.
 *
 * How many are in hand at a time rises with each quick answer while requests wait, and is halved when shards are too busy.
 * Source: Chiu and Jain 1989, "Analysis of the increase and decrease algorithms for congestion avoidance".
 */
export class Admission {
  /** ms */
  readonly #clock: () => number;
  readonly #took = new Map<string, Took>();
  #waiting: Waiting[] = [];
  #inHand = 0;
  #most = FIRST;
  /** When the number was halved last; undefined: never. */
  #halvedAt: number | undefined;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Requests in hand and waiting. */
  get size(): number {
    return this.#inHand + this.#waiting.length;
  }

  /**
   * The request's turn. kind: requests of one kind take about as long; end: by when it has to be answered, as the clock says.
   * @throws FatalError `busy` when it can't be answered by then, also if that shows later.
   */
  async enter(kind: string, end: number): Promise<Admitted> {
    const waiting = this.#waiting.length;
    const waits = this.#inHand >= this.#most || waiting > 0;
    if (waiting >= MOST_WAITING || !this.#inTime(kind, end, waits)) throw busy(this.size);
    if (!waits) return this.#begin(kind, end);
    const turn = Promise.withResolvers<Admitted>();
    this.#waiting.push({ kind, end, turn });
    return turn.promise;
  }

  /** Whether there is time left for a request. waits: after all that wait. */
  #inTime(kind: string, end: number, waits: boolean): boolean {
    if (this.size < FEWEST) return true;
    const before = waits ? this.#waiting.reduce((sum, each) => sum + this.#tookOf(each.kind).ms, 0) : 0;
    return this.#clock() + before / this.#most + this.#tookOf(kind).ms <= end;
  }

  #begin(kind: string, end: number): Admitted {
    this.#inHand++;
    const began = this.#clock();
    return {
      leave: (crowded) => {
        const took = this.#clock() - began;
        this.#inHand--;
        this.#tookOf(kind).learn(took);
        if (crowded) this.#halve(began);
        else if (this.#waiting.length > 0 && took < QUICK * (end - began)) this.#raise();
        this.#next();
      },
    };
  }

  /** Those that began before the last time tell nothing new. */
  #halve(began: number): void {
    if (this.#halvedAt !== undefined && began < this.#halvedAt) return;
    this.#halvedAt = this.#clock();
    this.#most = Math.max(FEWEST, this.#most / 2);
  }

  /** By one for each answer before shards were too busy for the first time, and then by one for as many answers as are in hand. */
  #raise(): void {
    const more = this.#halvedAt === undefined ? 1 : 1 / this.#most;
    this.#most = Math.min(MOST, this.#most + more);
  }

  #next(): void {
    while (this.#inHand < Math.floor(this.#most)) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      const { kind, end, turn } = next;
      const isLate = this.#inHand >= FEWEST && this.#clock() + this.#tookOf(kind).ms > end;
      if (isLate || this.#clock() >= end) turn.reject(busy(this.size));
      else turn.resolve(this.#begin(kind, end));
    }
  }

  #tookOf(kind: string): Took {
    const took = this.#took.get(kind) ?? new Took();
    this.#took.set(kind, took);
    return took;
  }
}

function busy(before: number): FatalError {
  return new FatalError('busy', `${before} requests wait for an answer; ask again in a second`);
}
