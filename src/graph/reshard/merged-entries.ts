import type { Entry, Store } from '../store.ts';

/** Entries handed over at a time. */
const BLOCK = 1_024;

/** A key, and what the stores hold under it. */
export interface MergedEntry {
  readonly key: Uint8Array;
  /** In the order of the stores; at least one. store: its index. */
  readonly held: readonly { readonly store: number; readonly value: Uint8Array }[];
}

/** The entries of several stores whose key starts with `prefix`, ascending, each key once. Memory: a run of each store. */
export async function* mergedEntries(
  stores: readonly Pick<Store, 'runs'>[],
  prefix: Uint8Array,
): AsyncIterable<readonly MergedEntry[]> {
  const cursors = stores.map((store) => new Cursor(store.runs(prefix)));
  try {
    for (const cursor of cursors) await cursor.refill();
    let block: MergedEntry[] = [];
    for (let least = leastOf(cursors); least !== undefined; least = leastOf(cursors)) {
      const held: { store: number; value: Uint8Array }[] = [];
      for (let store = 0; store < cursors.length; store++) {
        const cursor = cursors[store]!;
        const { entry } = cursor;
        if (entry === undefined || (entry !== least && Buffer.compare(entry.key, least.key) !== 0)) continue;
        held.push({ store, value: entry.value });
        if (!cursor.step()) await cursor.refill();
      }
      block.push({ key: least.key, held });
      if (block.length < BLOCK) continue;
      yield block;
      block = [];
    }
    if (block.length > 0) yield block;
  } finally {
    for (const cursor of cursors) await cursor.end();
  }
}

function leastOf(cursors: readonly Cursor[]): Entry | undefined {
  let least: Entry | undefined;
  for (const { entry } of cursors) {
    if (entry === undefined) continue;
    if (least === undefined || Buffer.compare(entry.key, least.key) < 0) least = entry;
  }
  return least;
}

/** A place in the entries of one store. Steps within a run, which most are, wait for nothing. */
class Cursor {
  /** undefined: all were taken, or `refill` is due. */
  entry: Entry | undefined;
  readonly #runs: AsyncIterator<readonly Entry[]>;
  #run: readonly Entry[] = [];
  #at = 0;

  constructor(runs: AsyncIterable<readonly Entry[]>) {
    this.#runs = runs[Symbol.asyncIterator]();
  }

  /** Goes to the next entry of the run; false where the run has no more. */
  step(): boolean {
    this.entry = this.#run[++this.#at];
    return this.entry !== undefined;
  }

  /** Goes to the first entry of the next run. */
  async refill(): Promise<void> {
    do {
      const next = await this.#runs.next();
      if (next.done) return;
      this.#run = next.value;
      this.#at = 0;
      this.entry = this.#run[0];
    } while (this.entry === undefined);
  }

  async end(): Promise<void> {
    await this.#runs.return?.();
  }
}
