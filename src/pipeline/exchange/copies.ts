import type { EntityKey } from '../../graph/entity.ts';
import type { EntityIndex } from '../../graph/entity-index.ts';
import { CopyClock } from './copy-clock.ts';
import { type Names, NO_NAMES } from './parcel.ts';

/** Most copies that go with one batch: a bound that was lowered is reached in steps, and not in one long pause. */
const MOST_EVICTED = 8_192;
/** Most names in one parcel: of the longest, half of what brokers take. */
const NAMES_IN_PARCEL = 2_000;
/** A copy that still has no vector is asked for again after this many times the first wait. */
const ASK_AGAIN = 60;

export interface CopiesOptions {
  /** Most copies that are kept; undefined: as many as there are. */
  readonly most: number | undefined;
  /** A copy that has no vector after this long is asked for. */
  readonly wantMs: number;
  /** Shards of the graph. */
  readonly shards: number;
  readonly index: EntityIndex;
  homeOf(key: EntityKey): number;
  clock(): number;
}

/** What one parcel tells an owner. */
export type Notice = Readonly<Record<'released' | 'wanted', Names>>;

/**
 * The copies of other shards' entities in a shard, and what their owners have to be told.
 *
 * Where their number is bounded, the least recently used go above the bound. Their owners are told once the commit without them
 * is written: a shard that is killed before holds them still. An owner that was told too late, or forgot it, sends a vector of an
 * entity that has no row here; it is told again then. A copy whose vector does not come, for whatever reason, is asked for: so no
 * copy is without a vector for ever, in whatever order the parcels and the edges come.
 */
export class Copies {
  /** Copies let go of, and vectors asked for, since the process began. */
  evicted = 0;
  asked = 0;
  readonly #options: CopiesOptions;
  readonly #clock = new CopyClock();
  /** By row, in the order of time: since when a copy has no vector, and when it was asked for. */
  readonly #absent = new Map<number, number>();
  readonly #askedAt = new Map<number, number>();
  /** By row: the name of a copy that went, while the commit without it is not written. */
  readonly #leaving = new Map<number, string>();
  /** How many of them have the name: a copy may go, come back and go again before a commit is written. */
  readonly #leavingNames = new Map<string, number>();
  /** By shard: names that it is to be told. A name is in one of the two at most. */
  readonly #released: readonly Set<string>[];
  readonly #wanted: readonly Set<string>[];
  #open = false;

  constructor(options: CopiesOptions) {
    this.#options = options;
    const sets = () => Array.from({ length: options.shards }, () => new Set<string>());
    this.#released = sets();
    this.#wanted = sets();
  }

  get size(): number {
    return this.#clock.size;
  }

  get #most(): number {
    return this.#options.most ?? Number.POSITIVE_INFINITY;
  }

  get isFull(): boolean {
    return this.#clock.size >= this.#most;
  }

  /** Takes over the copies of a store; absent: those without a vector. */
  load({ rows, absent }: { readonly rows: readonly number[]; readonly absent: readonly number[] }): void {
    const now = this.#options.clock();
    for (const row of rows) this.#clock.add(row);
    for (const row of absent) this.#absent.set(row, now);
  }

  /** Owners are told from now on: this process is the shard's one writer. */
  begin(): void {
    this.#open = true;
  }

  /** Notes a new copy, which has no vector yet. */
  made(row: number): void {
    const { index, clock } = this.#options;
    this.#clock.add(row);
    this.#absent.set(row, clock());
    const name = nameOf(index, row);
    const home = this.#homeOf(row);
    // Its owner does not know that the copy was gone, and so would not send the vector.
    if (this.#released[home]!.delete(name) || this.#leavingNames.has(name)) this.#want(row);
  }

  /** Notes that the row was used, if it is a copy. */
  used(row: number): void {
    this.#clock.use(row);
  }

  /** Notes that a copy has its vector. */
  arrived(row: number): void {
    this.#absent.delete(row);
    this.#askedAt.delete(row);
  }

  /** Notes that a copy has no vector any more, since its entity starts again. */
  reset(row: number): void {
    if (!this.#clock.has(row)) return;
    this.arrived(row);
    this.#absent.set(row, this.#options.clock());
  }

  /** Notes that the row is a copy no more, if it was one. */
  removed(row: number): void {
    this.#clock.remove(row);
    this.arrived(row);
  }

  /** The copies that are to go with this batch. The caller takes their entities out of the index then. */
  evict(): number[] {
    const { index } = this.#options;
    const rows: number[] = [];
    const excess = Math.min(this.#clock.size - this.#most, MOST_EVICTED);
    while (rows.length < excess) {
      const row = this.#clock.next();
      const name = nameOf(index, row);
      this.#wanted[this.#homeOf(row)]!.delete(name);
      this.#leaving.set(row, name);
      this.#leavingNames.set(name, (this.#leavingNames.get(name) ?? 0) + 1);
      this.removed(row);
      rows.push(row);
    }
    this.evicted += rows.length;
    return rows;
  }

  /** The name of a copy that went, as long as batches before may have gradients of it; undefined for any other row. */
  nameOf(row: number): Buffer | undefined {
    const name = this.#leaving.get(row);
    return name === undefined ? undefined : Buffer.from(name, 'latin1');
  }

  /** Notes that the commit without these rows is written: what was handed over before has been answered. */
  written(rows: Iterable<number>): void {
    const { index } = this.#options;
    for (const row of rows) {
      const text = this.#leaving.get(row);
      if (text === undefined) continue;
      this.#leaving.delete(row);
      const left = this.#leavingNames.get(text)! - 1;
      if (left > 0) this.#leavingNames.set(text, left);
      else this.#leavingNames.delete(text);
      const name = Buffer.from(text, 'latin1');
      if (index.names.find(name, 0, name.length) < 0) this.#release(name, this.#homeOfName(name));
    }
  }

  /** Notes that a shard sent the vector of an entity that has no row here. */
  unasked(name: Uint8Array, from: number): void {
    this.#release(name, from);
  }

  /** Whether an owner has to be told something. */
  get hasNews(): boolean {
    this.#wantDue();
    const some = (sets: readonly Set<string>[]) => sets.some(({ size }) => size > 0);
    return some(this.#released) || some(this.#wanted);
  }

  /** What the shard is to be told, a parcel each; it is told then. */
  take(shard: number): Notice[] {
    this.#wantDue();
    const [released, wanted] = [this.#released[shard]!, this.#wanted[shard]!].map((set) => {
      const names = [...set];
      set.clear();
      return names;
    });
    this.asked += wanted?.length ?? 0;
    return [
      ...inParts(released ?? []).map((names) => ({ released: names, wanted: NO_NAMES })),
      ...inParts(wanted ?? []).map((names) => ({ released: NO_NAMES, wanted: names })),
    ];
  }

  #release(name: Uint8Array, shard: number): void {
    if (this.#open) this.#released[shard]!.add(Buffer.from(name).toString('latin1'));
  }

  /** Asks for the copies whose vectors have not come for long. */
  #wantDue(): void {
    if (!this.#open) return;
    const { clock, wantMs } = this.#options;
    const now = clock();
    for (const [waiting, ms] of [
      [this.#absent, wantMs],
      [this.#askedAt, ASK_AGAIN * wantMs],
    ] as const) {
      const due: number[] = [];
      for (const [row, since] of waiting) {
        if (now - since < ms) break;
        due.push(row);
      }
      for (const row of due) this.#want(row);
    }
  }

  #want(row: number): void {
    this.arrived(row);
    this.#askedAt.set(row, this.#options.clock());
    this.#wanted[this.#homeOf(row)]!.add(nameOf(this.#options.index, row));
  }

  #homeOf(row: number): number {
    const { index, homeOf } = this.#options;
    return homeOf(index.keyAt(row)!);
  }

  #homeOfName(name: Buffer): number {
    const { index, homeOf } = this.#options;
    return homeOf(index.keyOf(name));
  }
}

/** A name as a text with a character for each byte. */
function nameOf(index: EntityIndex, row: number): string {
  return index.names.nameAt(row)?.toString('latin1') ?? '';
}

function inParts(names: readonly string[]): Names[] {
  const parts: Names[] = [];
  for (let from = 0; from < names.length; from += NAMES_IN_PARCEL) {
    const part = names.slice(from, from + NAMES_IN_PARCEL);
    parts.push({ count: part.length, names: Buffer.from(part.join(''), 'latin1') });
  }
  return parts;
}
