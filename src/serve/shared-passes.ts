import { FatalError } from '../errors/errors.ts';
import type { Found, Scan } from '../kernels/scan/scan.ts';
import type { Answer, CandidatesAsked, Look, Surfaces } from './surfaces.ts';

/** Queries of one pass: see `Scan`. */
const QUERIES_OF_A_PASS = 4;
/** Requests that would take longer than this together are refused: each of them waits for all. */
const BUDGET_MS = 50;
/** However fast or slow they are, as many are taken as the first, and no more than the second. */
const [FEWEST, MOST] = [4, 256];
/** Before anything was measured, about what a request takes with a quarter of a million rows. */
const FIRST_MS = 1;
/** How much of the measured time a new measurement makes up. */
const NEWEST_SHARE = 0.2;

interface Waiting {
  readonly asked: CandidatesAsked;
  readonly take: (answer: Answer) => void;
  readonly fail: (error: unknown) => void;
}

/** A request whose scan is known, and what the scan found for each of its queries. */
interface Looked {
  readonly request: Waiting;
  readonly look: Look;
  readonly lists: Found[][];
}

/** Runs a task once what has arrived by now is handled. */
export type Later = (task: () => void) => void;

/**
 * Answers requests for candidates that come at about one moment together: their queries share passes over the rows, four
 * at a time, which takes less than half as long for each. The answers are those of {@link Surfaces} for one state of the
 * vectors: nothing is written between the pass and the answer.
 */
export class SharedPasses {
  readonly #surfaces: Surfaces;
  readonly #later: Later;
  readonly #clock: () => number;
  /** What a request took of late, ms. */
  #requestMs = FIRST_MS;
  #waiting: Waiting[] = [];

  /** clock: ms. */
  constructor(surfaces: Surfaces, later: Later, clock: () => number) {
    this.#surfaces = surfaces;
    this.#later = later;
    this.#clock = clock;
  }

  /** @throws FatalError `busy` when too many requests wait; otherwise as `Surfaces.candidates`. */
  candidates(asked: CandidatesAsked): Promise<Answer> {
    const most = Math.min(MOST, Math.max(FEWEST, BUDGET_MS / this.#requestMs));
    if (this.#waiting.length >= most)
      throw new FatalError(
        'busy',
        `${this.#waiting.length} requests wait for an answer; ask again in a second`,
      );
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    if (this.#waiting.length === 0) this.#later(() => this.#run());
    this.#waiting.push({ asked, take: resolve, fail: reject });
    return promise;
  }

  #run(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    const began = this.#clock();
    this.#answer(waiting);
    const took = (this.#clock() - began) / waiting.length;
    this.#requestMs += NEWEST_SHARE * (took - this.#requestMs);
  }

  #answer(waiting: readonly Waiting[]): void {
    const looked: Looked[] = [];
    for (const request of waiting) {
      this.#settled(request, () => {
        const look = this.#surfaces.look(request.asked);
        if (look === undefined) request.take(this.#surfaces.candidates(request.asked));
        else looked.push({ request, look, lists: [] });
      });
    }
    for (const [scan, together] of Map.groupBy(looked, ({ look }) => look.scan))
      this.#together(scan, together);
  }

  /** Nobody catches what a later task throws: a pass that fails is the failure of its requests. */
  #together(scan: Scan, looked: readonly Looked[]): void {
    try {
      pass(scan, looked);
    } catch (error) {
      for (const { request } of looked) request.fail(error);
      return;
    }
    for (const { request, lists } of looked)
      this.#settled(request, () => request.take(this.#surfaces.candidates(request.asked, lists)));
  }

  #settled(request: Waiting, work: () => void): void {
    try {
      work();
    } catch (error) {
      request.fail(error);
    }
  }
}

/** Scans for all queries of the requests, and leaves what was found in their lists. */
function pass(scan: Scan, requests: readonly Looked[]): void {
  const queries = requests.flatMap((looked) => looked.look.queries.map((query) => ({ query, looked })));
  for (let first = 0; first < queries.length; first += QUERIES_OF_A_PASS) {
    const some = queries.slice(first, first + QUERIES_OF_A_PASS);
    const deepest = Math.max(...some.map(({ looked }) => looked.look.depth));
    const found = scan.top(
      some.map(({ query }) => query),
      deepest,
    );
    for (const [i, { looked }] of some.entries()) looked.lists.push(found[i]!.slice(0, looked.look.depth));
  }
}
