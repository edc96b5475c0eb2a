import { FatalError } from '../../errors/errors.ts';
import { BLOCK_ROWS } from '../../kernels/scan/layout.ts';
import { mergeTop, type RowRange } from '../../kernels/scan/scan.ts';
import type { ScanTable } from '../../kernels/scan/table.ts';
import type { Lists, Look, Scans } from '../../serve/looks.ts';
import { ThreadCalls, threadEntry } from '../threads.ts';
import { type PackedList, type Question, type ScanMethods, type Starting, unpackList } from './wire.ts';

/** A part with fewer rows than this takes less time than the message about it. */
const LEAST_ROWS = 8 * BLOCK_ROWS;

export interface ScanThreadsOptions {
  /** Each table has to have so many workspaces. */
  readonly threads: number;
  /** Told that a thread died, and that no scan is answered from now on. */
  failed(error: FatalError): void;
  /** The threads' entry, for tests. */
  readonly entry?: URL;
  /** Least rows of a part, for tests. */
  readonly leastRows?: number;
}

/** Scans ranges of rows in threads, on the shared memory of the tables. No table may be written while a scan is out. */
export class ScanThreads implements Scans {
  readonly #threads: readonly ThreadCalls<ScanMethods>[];
  readonly #leastRows: number;
  /** Only a table that somebody can still ask for is held. */
  readonly #tables = new WeakMap<ScanTable, number>();
  readonly #forgotten = new FinalizationRegistry<number>((table) => {
    this.#tell('forget', table);
  });
  #tableCount = 0;
  /** The thread that the next pass of few parts begins with. */
  #next = 0;

  constructor({ threads, failed, entry, leastRows = LEAST_ROWS }: ScanThreadsOptions) {
    const url = entry ?? threadEntry(new URL('./worker.ts', import.meta.url));
    this.#leastRows = leastRows;
    this.#threads = Array.from({ length: threads }, (_, workspace) => {
      const data: Starting = { workspace };
      return new ThreadCalls({ entry: url, data, name: `scanner ${workspace + 1}`, dead, died: failed });
    });
  }

  async top({ table, scorer, queries, depth }: Look): Promise<Lists> {
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
    await Promise.all(this.#threads.map((thread) => thread.stop(dead('it was stopped'))));
  }

  /** The answers for all parts of the table's rows. Also where one of them fails, it waits for the others: no scan is out then. */
  async #ask(
    table: ScanTable,
    question: Omit<Question, 'table' | 'range'>,
  ): Promise<(readonly PackedList[])[]> {
    const known = this.#tables.get(table) ?? this.#introduce(table);
    const first = this.#next;
    const ranges = rangesOf(table.rows, this.#threads.length, this.#leastRows);
    this.#next = (first + ranges.length) % this.#threads.length;
    const answers = await Promise.allSettled(
      ranges.map((range, i) => {
        const thread = this.#threads[(first + i) % this.#threads.length]!;
        return thread.ask('top', { table: known, range, ...question });
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
    this.#tell('table', { table: known, place: table.place });
    return known;
  }

  /** Makes a call whose answer nobody needs: a dead thread fails the next question. */
  #tell<N extends 'table' | 'forget'>(what: N, argument: Parameters<ScanMethods[N]>[0]): void {
    for (const thread of this.#threads) thread.ask(what, argument).catch(() => undefined);
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

function dead(reason: string, cause?: unknown): FatalError {
  return new FatalError('thread', `a thread that scans died: ${reason}; start twhin serve again`, {
    cause,
  });
}
