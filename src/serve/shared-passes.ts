import { FatalError } from '../errors/errors.ts';
import type { Found, ScanQuery } from '../kernels/scan/scan.ts';
import type { Gate } from './gate.ts';
import type { Asking, Look, RankLook, Scans, Seen, TopLook } from './looks.ts';

/** Queries of one pass: see `Scan`. */
const QUERIES_OF_A_PASS = 4;
/** Requests that would take longer than this together are refused: each of them waits for all. */
const BUDGET_MS = 50;
/** However fast or slow they are, as many are taken as the first, and no more than the second. */
const [FEWEST, MOST] = [4, 256];
/** Before anything was measured, about what four requests together take with a quarter of a million rows. */
const FIRST_MS = 4;
/** How much of the measured time each further request leaves: one that takes long is soon forgotten. */
const OLDER_SHARE = 0.98;

/** Runs a task once what has arrived by now is handled. */
export type Later = (task: () => void) => void;

export interface SharedPassesOptions {
  readonly scans: Scans;
  /** Shut during a round. */
  readonly gate: Gate;
  readonly later: Later;
  /** ms */
  clock(): number;
}

/** A request, whatever its answer is. */
interface Request {
  /** Goes on with what was seen; the first step takes nothing. Gives what to look at next, if it is not answered. */
  resume(seen: Seen): Look | undefined;
  fail(error: unknown): void;
}

/** The making of an answer, and who waits for it. */
class Answering<T> implements Request {
  readonly #asking: Asking<T>;
  readonly #answer = Promise.withResolvers<T>();

  constructor(asking: Asking<T>) {
    this.#asking = asking;
  }

  get answer(): Promise<T> {
    return this.#answer.promise;
  }

  fail(error: unknown): void {
    this.#answer.reject(error);
  }

  resume(seen: Seen): Look | undefined {
    try {
      const step = this.#asking.next(seen);
      if (step.done !== true) return step.value;
      this.#answer.resolve(step.value);
    } catch (error) {
      this.fail(error);
    }
    return undefined;
  }
}

const NOTHING: Seen = { lists: [], ranks: [] };

/** What a request looks at. */
interface Looking {
  readonly request: Request;
  readonly look: Look;
}

/** A query of a request's look. */
interface AskedQuery {
  readonly query: ScanQuery;
  readonly look: TopLook;
  /** Takes what was found for the query. */
  found(list: readonly Found[]): void;
  failed(error: unknown): void;
}

/**
 * Makes the answers of requests that come at about one moment together, in a round: their queries share passes over the
 * rows, four at a time, which takes less than half as long for each. Who comes during a round waits for the next one, and
 * so do vectors that are to be written: all of them are written between two rounds, and neither starves the other.
 */
export class SharedPasses {
  readonly #options: SharedPassesOptions;
  /** What four requests together took of late, ms. One alone takes nearly as long: the time of each says too little. */
  #fourMs = FIRST_MS;
  #waiting: Request[] = [];
  #inRound = false;

  constructor(options: SharedPassesOptions) {
    this.#options = options;
  }

  /** The answer. @throws FatalError `busy` when too many requests wait; whatever the asking throws. */
  async ask<T>(asking: Asking<T>): Promise<T> {
    const most = Math.min(MOST, Math.max(FEWEST, (QUERIES_OF_A_PASS * BUDGET_MS) / this.#fourMs));
    if (this.#waiting.length >= most)
      throw new FatalError(
        'busy',
        `${this.#waiting.length} requests wait for an answer; ask again in a second`,
      );
    const request = new Answering(asking);
    this.#waiting.push(request);
    if (this.#waiting.length === 1 && !this.#inRound) this.#begin();
    return request.answer;
  }

  #begin(): void {
    this.#options.later(() => void this.#round());
  }

  async #round(): Promise<void> {
    const { gate, clock } = this.#options;
    const requests = this.#waiting;
    this.#waiting = [];
    this.#inRound = true;
    const began = clock();
    gate.shut();
    let looking = requests.flatMap((request) => resume(request, NOTHING));
    while (looking.length > 0) looking = await this.#look(looking);
    gate.open();
    const took = (clock() - began) / Math.ceil(requests.length / QUERIES_OF_A_PASS);
    this.#fourMs += (1 - OLDER_SHARE ** requests.length) * (took - this.#fourMs);
    this.#inRound = false;
    if (this.#waiting.length > 0) this.#begin();
  }

  /** Scans for all of them, and takes each a step further. Gives those that have to look again. */
  async #look(looking: readonly Looking[]): Promise<Looking[]> {
    const again: Looking[] = [];
    const queries: AskedQuery[] = [];
    const scans: Promise<void>[] = [];
    for (const { request, look } of looking) {
      const goOn = (seen: Seen) => void again.push(...resume(request, seen));
      if (look.kind === 'top') queries.push(...queriesOf(request, look, goOn));
      else scans.push(this.#ranks(request, look, goOn));
    }
    await Promise.all([...passesOf(queries).map((pass) => this.#top(pass)), ...scans]);
    return again;
  }

  /** A scan that fails is the failure of the requests that share it. */
  async #top(pass: readonly AskedQuery[]): Promise<void> {
    const { table, scorer } = pass[0]!.look;
    const deepest = Math.max(...pass.map(({ look }) => look.depth));
    try {
      const asked = pass.map(({ query }) => query);
      const lists = await this.#options.scans.top(table, scorer, asked, deepest);
      for (const [i, { found, look }] of pass.entries()) found(lists[i]!.slice(0, look.depth));
    } catch (error) {
      for (const { failed } of pass) failed(error);
    }
  }

  async #ranks(request: Request, { table, scorer, query, scores }: RankLook, goOn: (seen: Seen) => void) {
    try {
      goOn({ lists: [], ranks: await this.#options.scans.ranks(table, scorer, query, scores) });
    } catch (error) {
      request.fail(error);
    }
  }
}

function resume(request: Request, seen: Seen): Looking[] {
  const look = request.resume(seen);
  return look === undefined ? [] : [{ request, look }];
}

/** The queries of a look, which can be in several passes: the request goes on once the last of them is answered. */
function queriesOf(request: Request, look: TopLook, goOn: (seen: Seen) => void): AskedQuery[] {
  const lists: (readonly Found[])[] = [];
  let left = look.queries.length;
  return look.queries.map((query, i) => ({
    query,
    look,
    found: (list) => {
      lists[i] = list;
      left--;
      if (left === 0) goOn({ lists, ranks: [] });
    },
    failed: (error) => request.fail(error),
  }));
}

/** Queries of one table and scorer, four at a time. */
function passesOf(queries: readonly AskedQuery[]): AskedQuery[][] {
  const passes: AskedQuery[][] = [];
  for (const ofTable of Map.groupBy(queries, ({ look }) => look.table).values()) {
    for (const together of Map.groupBy(ofTable, ({ look }) => look.scorer).values()) {
      for (let first = 0; first < together.length; first += QUERIES_OF_A_PASS)
        passes.push(together.slice(first, first + QUERIES_OF_A_PASS));
    }
  }
  return passes;
}
