import { Worker } from 'node:worker_threads';
import { FatalError, reasonOf } from '../../errors/errors.ts';
import type { WasmBuild } from '../../kernels/instance.ts';
import { BLOCK_ROWS } from '../../kernels/scan/layout.ts';
import { type Found, mergeTop, type RowRange, type ScanQuery } from '../../kernels/scan/scan.ts';
import type { ScanTable } from '../../kernels/scan/table.ts';
import type { ScorerName } from '../../model/settings.ts';
import type { Scans } from '../../serve/looks.ts';
import { threadEntry, unpackError } from '../threads.ts';
import { type Call, type PackedList, type Question, type Reply, type Starting, unpackList } from './wire.ts';

/** A part with fewer rows than this takes less time than the message about it. */
const LEAST_ROWS = 8 * BLOCK_ROWS;

export interface ScanThreadsOptions {
  /** Each table has to have so many workspaces. */
  readonly threads: number;
  readonly build: WasmBuild;
  /** Told that a thread died, and that no scan is answered from now on. */
  failed(error: FatalError): void;
  /** The threads' entry, for tests. */
  readonly entry?: URL;
  /** Least rows of a part, for tests. */
  readonly leastRows?: number;
}

/**
 * Scans in threads of their own, which share the memory of the tables: a pass is cut into ranges of rows, one for each thread.
 * The tables may not be written while a scan is out.
 */
export class ScanThreads implements Scans {
  readonly #threads: readonly ScanThread[];
  readonly #leastRows: number;
  /** Only a table that somebody can still ask for is held. */
  readonly #tables = new WeakMap<ScanTable, number>();
  readonly #forgotten = new FinalizationRegistry<number>((table) => {
    for (const thread of this.#threads) thread.tell({ kind: 'forget', table });
  });
  #tableCount = 0;
  /** The thread that the next pass of few parts begins with. */
  #next = 0;

  constructor({ threads, build, failed, entry, leastRows = LEAST_ROWS }: ScanThreadsOptions) {
    const url = entry ?? threadEntry(new URL('./worker.ts', import.meta.url));
    this.#leastRows = leastRows;
    this.#threads = Array.from(
      { length: threads },
      (_, workspace) => new ScanThread(url, { build, workspace }, failed),
    );
  }

  async top(
    table: ScanTable,
    scorer: ScorerName,
    queries: readonly ScanQuery[],
    depth: number,
  ): Promise<Found[][]> {
    // Queries that leave out the same list share its copy, in the message too.
    const copies = new Map<Iterable<number>, Int32Array>();
    const packed = queries.map(({ vector, leftOut = [], marked }) => {
      const rows = copies.get(leftOut) ?? Int32Array.from(leftOut);
      copies.set(leftOut, rows);
      return { vector, leftOut: rows, marked };
    });
    const parts = await this.#ask(table, { scorer, queries: packed, depth });
    return queries.map((_, i) =>
      mergeTop(
        parts.map((lists) => unpackList(lists[i]!)),
        depth,
      ),
    );
  }

  /** Waits for the scans that are out, then ends the threads. Idempotent. */
  async stop(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.stop()));
  }

  /** The answers for all parts of the table's rows. Also where one of them fails, it waits for the others: no scan is out then. */
  async #ask(table: ScanTable, question: Omit<Question, 'kind' | 'table' | 'range'>): Promise<Lists[]> {
    const known = this.#tables.get(table) ?? this.#introduce(table);
    const first = this.#next;
    const ranges = rangesOf(table.rows, this.#threads.length, this.#leastRows);
    this.#next = (first + ranges.length) % this.#threads.length;
    const answers = await Promise.allSettled(
      ranges.map((range, i) => {
        const thread = this.#threads[(first + i) % this.#threads.length]!;
        return thread.ask({ kind: 'top', table: known, range, ...question });
      }),
    );
    return answers.map((answer) => {
      if (answer.status === 'rejected') throw answer.reason;
      return answer.value;
    });
  }

  #introduce(table: ScanTable): number {
    const known = this.#tableCount++;
    this.#tables.set(table, known);
    this.#forgotten.register(table, known);
    for (const thread of this.#threads) thread.tell({ kind: 'table', table: known, place: table.place });
    return known;
  }
}

/** Parts of about the same length, of whole blocks; at least one, so that wrong questions are refused. */
function rangesOf(rows: number, threads: number, leastRows: number): RowRange[] {
  const parts = Math.max(1, Math.min(threads, Math.floor(rows / leastRows)));
  const each = Math.max(1, Math.ceil(rows / parts / BLOCK_ROWS)) * BLOCK_ROWS;
  const ranges: RowRange[] = [];
  for (let from = 0; from === 0 || from < rows; from += each)
    ranges.push({ from, until: Math.min(rows, from + each) });
  return ranges;
}

type Lists = readonly PackedList[];

interface Waiting {
  resolve(lists: Lists): void;
  reject(error: Error): void;
}

/** One thread, which answers questions in order. */
class ScanThread {
  readonly #worker: Worker;
  readonly #failed: (error: FatalError) => void;
  /** Questions without an answer, oldest first. */
  readonly #waiting: Waiting[] = [];
  /** Why the thread answers no more. */
  #ended: FatalError | undefined;
  #stopping: PromiseWithResolvers<void> | undefined;

  constructor(entry: URL, starting: Starting, failed: (error: FatalError) => void) {
    this.#failed = failed;
    this.#worker = new Worker(entry, { workerData: starting, name: `scanner ${starting.workspace + 1}` });
    this.#worker.on('message', (reply: Reply) => {
      const waiting = this.#waiting.shift();
      if (reply.kind === 'failed') waiting?.reject(unpackError(reply.error));
      else waiting?.resolve(reply.lists);
      if (this.#waiting.length === 0) this.#stopping?.resolve();
    });
    this.#worker.on('error', (error) => this.#die(reasonOf(error), error));
    this.#worker.on('messageerror', (error) => this.#die(reasonOf(error), error));
    this.#worker.on('exit', (code) => this.#die(`it exited with code ${code}`));
  }

  /** What needs no answer. */
  tell(call: Exclude<Call, Question>): void {
    if (this.#ended === undefined) this.#worker.postMessage(call);
  }

  ask(question: Question): Promise<Lists> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#worker.postMessage(question);
      this.#waiting.push({ resolve, reject });
    });
  }

  async stop(): Promise<void> {
    this.#stopping ??= Promise.withResolvers();
    this.#ended ??= dead('it was stopped');
    if (this.#waiting.length > 0) await this.#stopping.promise;
    await this.#worker.terminate();
  }

  #die(reason: string, cause?: unknown): void {
    const error = dead(reason, cause);
    const expected = this.#ended !== undefined;
    this.#ended ??= error;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(error);
    this.#stopping?.resolve();
    if (!expected) this.#failed(error);
  }
}

function dead(reason: string, cause?: unknown): FatalError {
  return new FatalError('scanner-dead', `a thread that scans died: ${reason}; start twhin serve again`, {
    cause,
  });
}
