import { FatalError, MAKE_AGAIN } from '../../errors/errors.ts';
import { Census, type Counted, describeDifference, differencesFrom } from '../../graph/census.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import type { Head } from '../../graph/head.ts';
import { asBuffer } from '../../graph/layout.ts';
import { pauseUnless } from '../patience.ts';
import { EdgeFilter } from '../reading/edge-filter.ts';

/** Pause after each run of hundreds of entries: a check of millions takes a minute at a tenth of a processor. */
const PAUSE_MS = 10;

/** @throws FatalError where the store has less than its head counts. An excess is no loss; `twhin check` finds it. */
export function checkWhole(head: Head, there: Counted): void {
  const short = differencesFrom(head, there).find(({ found, counted }) => found < counted);
  if (short) throw lost(head.graph, describeDifference(short));
}

export function lost(graph: string, what: string): FatalError {
  return new FatalError('store-damaged', `a part of the store of ${graph} is lost: ${what}; ${MAKE_AGAIN}`);
}

/**
 * Counts a store's edges in the background, and then their reverse entries. RocksDB does not notice a truncated list of files, and loading
 * from a checkpoint reads none of these.
 */
export class LaterCheck {
  /** Resolves when the scan stands as of one moment: what is committed from then on is not counted. Never rejects. */
  readonly begun: Promise<void>;
  /** Resolves when the store is no longer read. */
  readonly done: Promise<void>;
  /** Has every edge that it came to. */
  readonly stored = new EdgeFilter();
  readonly #stopping = new AbortController();

  /**
   * Starts to read at once. The next commit must wait for `begun`.
   * head: the store's own. failed: told of a loss, or of why the edges could not be counted.
   */
  constructor({ layout, entries }: GraphStore, head: Head, failed: (error: Error) => void) {
    const { signal } = this.#stopping;
    const scan = (prefix: Uint8Array) => entries.runs(prefix)[Symbol.asyncIterator]();
    const [forward, reverse] = [scan(layout.prefixes.edges), scan(layout.prefixes.reverse)];
    // Both as of one moment: an edge that is erased meanwhile is in both.
    const firsts = [forward.next(), reverse.next()] as const;
    this.begun = Promise.allSettled(firsts).then(() => undefined);
    const slowly = async function* (first: (typeof firsts)[0], runs: typeof forward) {
      for (let run = await first; run.done !== true; run = await runs.next()) {
        yield run.value;
        await pauseUnless(signal, PAUSE_MS);
      }
    };
    const count = async () => {
      const census = new Census(layout);
      let [edges, reversed] = [0, 0];
      for await (const run of slowly(firsts[0], forward)) {
        edges += run.length;
        for (const entry of run) {
          census.add(entry);
          this.stored.add(asBuffer(entry.key).toString('latin1'));
        }
      }
      checkWhole(head, { entities: head.entities, edges: census.counted.edges });
      this.stored.complete = true;
      for await (const run of slowly(firsts[1], reverse)) reversed += run.length;
      if (reversed < edges) throw lost(head.graph, `it holds ${reversed} reverse entries of ${edges} edges`);
    };
    this.done = count()
      .catch((error: unknown) => {
        if (!signal.aborted) failed(error instanceof Error ? error : new Error(String(error)));
      })
      .finally(() => Promise.all([forward.return?.(), reverse.return?.()]));
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.done;
  }
}
