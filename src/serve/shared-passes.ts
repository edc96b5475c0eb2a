import { FatalError } from '../errors/errors.ts';
import type { Found, ScanQuery } from '../kernels/scan/scan.ts';
import type { ScanTable } from '../kernels/scan/table.ts';
import type { Asking, Lists, Look, Scans } from './looks.ts';

/**
 * Keeps writes to tables and scans of them in other threads apart. While scans are out the gate is shut, and writes wait
 * in the order in which they came; opening the gate does them all. A caller waits for the promise of a write before the
 * next one: that bounds how many writes wait.
 */
export class Gate {
  /** Writes done so far. */
  writes = 0;
  /** While the gate is shut. */
  #waiting: (() => void)[] | undefined;

  /** Does the work at once, or once the gate is open: then a promise, which fails as the work does. */
  write(work: () => void): Promise<void> | undefined {
    const write = () => {
      this.writes++;
      work();
    };
    const waiting = this.#waiting;
    if (waiting !== undefined) return new Promise((done) => waiting.push(() => done(Promise.try(write))));
    write();
    return undefined;
  }

  shut(): void {
    this.#waiting ??= [];
  }

  open(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const write of waiting) write();
  }
}

/** Queries of one pass: see `Scan`. */
const QUERIES_OF_A_PASS = 4;
/** A round takes about this long, and so do those together that wait for one, unless said: who comes then is refused. ms */
const BUDGET_MS = 50;
/** While requests wait for the next round, vectors are written for so long between two. ms */
const WRITES_MS = 10;
/** However long they take, as many wait as the first, and no more than the second. */
const [FEWEST, MOST] = [4, 256];
/** A look takes as long as if its table had so many rows more, and a row that is found as long as so many that are scanned. */
const [ROWS_OF_A_LOOK, ROWS_OF_A_FOUND] = [10_000, 64];
/** How much each further request leaves of the rate that was measured, and how many times that rate one round can be. */
const [OLDER_SHARE, MOST_CHANGE] = [0.95, 4];

/** Before anything was measured, ms a row of a query that shares a pass with three others. */
const FIRST_MS = 4e-6;

/** Runs a task once what has arrived by now is handled. */
export type Later = (task: () => void) => void;

export interface SharedPassesOptions {
  readonly scans: Scans;
  /** Shut during a round. */
  readonly gate: Gate;
  readonly later: Later;
  /** Gives what has arrived by now its turn. */
  turn(): Promise<void>;
  /** ms */
  clock(): number;
  /** Requests that take longer together are refused, but for a few; 50 ms unless given. */
  readonly waitingMs?: number | undefined;
}

class Request {
  readonly #make: () => Asking<void>;
  #asking: Asking<void> | undefined;
  readonly fail: (error: unknown) => void;

  /** make: makes the answer, and hands it over. */
  constructor(make: () => Asking<void>, fail: (error: unknown) => void) {
    this.#make = make;
    this.fail = fail;
  }

  /** Begins, or begins again as of now. Gives what to look at, if it is not answered. */
  begin(): Look | undefined {
    this.#asking = this.#make();
    return this.resume(NOTHING);
  }

  /** Goes on with what was seen. Gives what to look at next, if it is not answered. */
  resume(seen: Lists): Look | undefined {
    try {
      const step = this.#asking?.next(seen);
      return step?.done === false ? step.value : undefined;
    } catch (error) {
      this.fail(error);
      return undefined;
    }
  }
}

const NOTHING: Lists = [];

/** How long it takes to look at a table, as measured of late. */
class Rate {
  /** ms a row */
  #ms = FIRST_MS;
  /** Rounds that it was measured in; one that did other things too counts by its share. */
  #rounds = 0;

  /** What a look is expected to take, ms. A query of a pass that is full takes a fourth of the pass. */
  of({ table, queries, depth }: Look): number {
    return this.#ms * queries.length * (table.rows + ROWS_OF_A_LOOK + ROWS_OF_A_FOUND * depth);
  }

  get measured(): boolean {
    return this.#rounds >= 0.5;
  }

  /** times: how many times as long as expected it took; share: its share of that time. */
  learn(times: number, requests: number, share: number): void {
    // The first rounds count alike: a thread that starts, or code that is compiled, takes long once.
    const weight = share * Math.max(1 / (1 + this.#rounds), 1 - OLDER_SHARE ** requests);
    const bounded = this.measured ? Math.min(MOST_CHANGE, Math.max(1 / MOST_CHANGE, times)) : times;
    this.#ms = Math.max(FIRST_MS / 100, this.#ms * (1 + weight * (bounded - 1)));
    this.#rounds += share;
  }
}

interface Looking {
  readonly request: Request;
  readonly look: Look;
}

interface AskedQuery {
  readonly query: ScanQuery;
  readonly look: Look;
}

/**
 * Makes the answers of requests that come at about one moment together, in a round: their queries share passes over the
 * rows, four at a time, which takes less than half as long for each. Who comes during a round waits for a next one, and
 * so do vectors that are to be written: all of them are written between two rounds, and neither starves the other.
 *
 * A round has as many requests as are expected to fit in 50 ms, or one that takes longer. What a request takes is expected by what it
 * looks at, which its first step says: it is taken when the request comes, and again when its round begins, if vectors were written
 * since. A request that has nothing to look at is answered at once, and never refused.
 */
export class SharedPasses {
  readonly #options: SharedPassesOptions;
  readonly #rates = new WeakMap<ScanTable, Rate>();
  /** Requests that wait for a round, and what each looks at first as of so many writes. */
  #waiting: (Looking & { readonly writes: number })[] = [];
  #inRound = false;

  constructor(options: SharedPassesOptions) {
    this.#options = options;
  }

  /**
   * The answer. make: begins to make it, each time as of now.
   * @throws FatalError `busy` when those that wait take too long, also if that shows later; whatever the asking throws.
   */
  async ask<T>(make: () => Asking<T>): Promise<T> {
    const { writes } = this.#options.gate;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const request = new Request(function* () {
      resolve(yield* make());
    }, reject);
    const look = request.begin();
    if (look === undefined) return promise;
    const ms = this.#waiting.reduce((sum, each) => sum + this.#msOf(each.look), 0);
    if (!this.#fits(this.#waiting.length, ms)) throw busy(this.#waiting.length);
    this.#waiting.push({ request, look, writes });
    if (this.#waiting.length === 1 && !this.#inRound) this.#begin();
    return promise;
  }

  #rateOf(table: ScanTable): Rate {
    const rate = this.#rates.get(table) ?? new Rate();
    this.#rates.set(table, rate);
    return rate;
  }

  #msOf(look: Look): number {
    return this.#rateOf(look.table).of(look);
  }

  /** Whether one more can wait behind so many, which take so long. */
  #fits(before: number, ms: number): boolean {
    return before < FEWEST || (before < MOST && ms < (this.#options.waitingMs ?? BUDGET_MS));
  }

  #begin(): void {
    this.#options.later(() => void this.#round());
  }

  async #round(): Promise<void> {
    const { gate, clock } = this.#options;
    this.#inRound = true;
    const began = clock();
    gate.shut();
    let looking = this.#start();
    const first = looking.map(({ look }) => look);
    while (looking.length > 0) looking = await this.#look(looking);
    const took = clock() - began;
    gate.open();
    this.#learn(first, took);
    this.#refuse();
    if (this.#waiting.length > 0) await this.#letWritesIn();
    this.#inRound = false;
    if (this.#waiting.length > 0) this.#begin();
  }

  /** Waits while vectors are written, for some milliseconds: a reader of a partition has one run to write at a time. */
  async #letWritesIn(): Promise<void> {
    const { gate, clock, turn } = this.#options;
    const until = clock() + WRITES_MS;
    let before: number;
    do {
      before = gate.writes;
      // A run that was written is followed by the next one in the turn after.
      await turn();
      await turn();
    } while (gate.writes > before && clock() < until);
  }

  /** Begins with those that fit in a round; of a table that was never measured, with a few. */
  #start(): Looking[] {
    const looking: Looking[] = [];
    let [ms, untried, next] = [0, 0, 0];
    for (; next < this.#waiting.length; next++) {
      const { request, look: known, writes } = this.#waiting[next]!;
      const { measured } = this.#rateOf(known.table);
      const isFull = ms + this.#msOf(known) > BUDGET_MS || (untried >= FEWEST && !measured);
      if (looking.length > 0 && isFull) break;
      const look = writes === this.#options.gate.writes ? known : request.begin();
      if (look === undefined) continue;
      looking.push({ request, look });
      ms += this.#msOf(look);
      if (!measured) untried++;
    }
    this.#waiting.splice(0, next);
    return looking;
  }

  /** Corrects the rates by what a round took, ms. A pass that is not full takes nearly as long as one that is. */
  #learn(looks: readonly Look[], took: number): void {
    const expected = Array.from(
      Map.groupBy(looks, ({ table }) => table),
      ([table, of]) => {
        const queries = of.reduce((sum, look) => sum + look.queries.length, 0);
        const room = Math.ceil(queries / QUERIES_OF_A_PASS) * QUERIES_OF_A_PASS;
        const ms = of.reduce((sum, look) => sum + this.#msOf(look), 0) * (room / queries);
        return { rate: this.#rateOf(table), ms, requests: of.length };
      },
    );
    const all = expected.reduce((sum, { ms }) => sum + ms, 0);
    for (const { rate, ms, requests } of expected) if (all > 0) rate.learn(took / all, requests, ms / all);
  }

  /** Refuses those that wait and would do so for too long, as is known now. */
  #refuse(): void {
    let ms = 0;
    this.#waiting = this.#waiting.filter(({ request, look }, before) => {
      const isKept = this.#fits(before, ms);
      ms += this.#msOf(look);
      if (!isKept) request.fail(busy(before));
      return isKept;
    });
  }

  /**
   * Scans for all of them, and takes each a step further. Gives those that have to look again. A scan that fails is the failure of
   * the requests that share it.
   */
  async #look(looking: readonly Looking[]): Promise<Looking[]> {
    const found = new Map<ScanQuery, Promise<readonly Found[]>>();
    const scans = passesOf(looking.map(({ look }) => look)).map((pass) => {
      const { table, scorer } = pass[0]!.look;
      const depth = Math.max(...pass.map(({ look }) => look.depth));
      const lists = this.#options.scans.top({
        table,
        scorer,
        queries: pass.map(({ query }) => query),
        depth,
      });
      for (const [i, { query, look }] of pass.entries())
        found.set(
          query,
          lists.then((all) => all[i]!.slice(0, look.depth)),
        );
      return lists;
    });
    const again = looking.map(async ({ request, look: { queries } }) => {
      try {
        const look = request.resume(await Promise.all(queries.map((query) => found.get(query)!)));
        return look === undefined ? [] : [{ request, look }];
      } catch (error) {
        request.fail(error);
        return [];
      }
    });
    // When a scan fails, the others still read their tables: vectors may be written only once all are done.
    await Promise.allSettled(scans);
    return (await Promise.all(again)).flat();
  }
}

function busy(waiting: number): FatalError {
  return new FatalError('busy', `${waiting} requests wait for an answer; ask again in a second`);
}

/** The queries of looks at one table by one scorer, four at a time. */
function passesOf(looks: readonly Look[]): AskedQuery[][] {
  const passes: AskedQuery[][] = [];
  for (const ofTable of Map.groupBy(looks, ({ table }) => table).values()) {
    for (const together of Map.groupBy(ofTable, ({ scorer }) => scorer).values()) {
      const queries = together.flatMap((look) => look.queries.map((query) => ({ query, look })));
      for (let first = 0; first < queries.length; first += QUERIES_OF_A_PASS)
        passes.push(queries.slice(first, first + QUERIES_OF_A_PASS));
    }
  }
  return passes;
}
