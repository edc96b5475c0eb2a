import { FatalError, MAKE_AGAIN } from '../../errors/errors.ts';
import { Census, type Counted, describeDifference, differencesFrom } from '../../graph/census.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import type { Head } from '../../graph/head.ts';
import { pauseUnless } from '../patience.ts';

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

/** Counts entities and edges. between: called after each run of entries. */
export async function countGraph(
  { layout, entries }: GraphStore,
  between: () => Promise<void> = async () => {},
): Promise<Counted> {
  const census = new Census(layout);
  for (const prefix of [layout.prefixes.entities, layout.prefixes.edges]) {
    for await (const run of entries.runs(prefix)) {
      for (const entry of run) census.add(entry);
      await between();
    }
  }
  const { entities, edges } = census.counted;
  return { entities, edges };
}

/**
 * Counts a store's entries in the background. RocksDB does not notice a truncated list of files, and loading from an
 * image reads no entries.
 */
export class LaterCheck {
  readonly #stopping = new AbortController();
  /** Resolves when the store is no longer read. */
  readonly done: Promise<void>;

  /**
   * view: the store as it was with this head, whatever is written meanwhile. failed: told of a loss, or of why the
   * entries could not be counted.
   */
  constructor(view: GraphStore, head: Head, failed: (error: Error) => void) {
    const { signal } = this.#stopping;
    this.done = countGraph(view, () => pauseUnless(signal, PAUSE_MS))
      .then((there) => checkWhole(head, there))
      .catch((error: unknown) => {
        if (!signal.aborted) failed(error instanceof Error ? error : new Error(String(error)));
      });
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.done;
  }
}
