import { FatalError } from '../errors/errors.ts';
import {
  type EntityIndex,
  type EntityStates,
  NO_NAME,
  type PackedEntities,
  STATE_NUMBERS,
  type TurnPart,
} from './entity-index.ts';
import { asBuffer, damaged, type Layout, PAGE_ROWS } from './layout.ts';
import { endsSlice, nextTurn, type Store, type WriteBatch } from './store.ts';

/** Of an entity whose state was not read yet. */
const NO_STATE = { updates: 0, firstSeen: Number.NaN, lastSeen: Number.NaN };
/** Fewest rows of a commit's part of the turn: a graph of two millions has its turn in 8,000 small commits. */
const LEAST_ROWS = 256;
const HEADER_NUMBERS = 4;

/** An entry of states, and where its part of the turn ends. */
interface Kept {
  readonly number: number;
  readonly turn: number;
  readonly to: number;
}

/**
 * The entries that hold a store's entities. Names are by row, {@link PAGE_ROWS} to an entry, written where one comes or goes. States
 * change with each event: a commit writes those that changed as one entry. It has as many others with it, all rows in turn, so that
 * an entry whose rows all came again is deleted. Of a row's states the newest counts.
 */
export class EntityEntries {
  readonly #store: Store;
  readonly #layout: Layout;
  /** Of the next entry of states, and where the next part begins. */
  #number = 0;
  #turn = 0;
  #at = 0;
  #isOpen = false;
  /** Entries of states that are stored, oldest first. */
  #kept: Kept[] = [];

  constructor(store: Store, layout: Layout) {
    this.#store = store;
    this.#layout = layout;
  }

  /**
   * Restores every entity into an index that has none. first, rows: an entity's lowest row, and the first beyond the highest. tell:
   * told of what is damaged, and may throw.
   */
  async load(index: EntityIndex, first: number, rows: number, tell: (what: string) => void): Promise<void> {
    let count = 0;
    for await (const run of this.#store.runs(this.#layout.prefixes.names)) {
      for (const { key, value } of run) {
        reading('names', key, tell, () => {
          const page = this.#layout.numberOf(key);
          namesIn(this.#layout, value, (start, end, i) => {
            const row = PAGE_ROWS * page + i;
            const name = () => this.#layout.entityOf(value, start);
            if (row < first || row >= rows) tell(`${name()} on row ${row} of ${rows}`);
            else if (index.names.find(value, start, end) >= 0) tell(`${name()} on row ${row} too`);
            else index.restore(value, start, end, { row, ...NO_STATE });
          });
        });
        if (endsSlice(PAGE_ROWS * count++)) await nextTurn();
      }
    }
    index.stored();
    await this.open(tell, index);
    for (let row = first; row < index.nextRow; row++) {
      const { firstSeen, lastSeen } = index.state(row);
      if (index.names.has(row) && !(firstSeen <= lastSeen && Number.isFinite(lastSeen - firstSeen)))
        tell(`${index.keyAt(row)} was seen from ${firstSeen} to ${lastSeen}`);
    }
  }

  /** Reads the states, into the index if there is one. Before the first `put`. tell: as in `load`. */
  async open(tell: (what: string) => void, index?: EntityIndex): Promise<void> {
    if (index === undefined && this.#isOpen) return;
    const kept: Kept[] = [];
    let at = 0;
    for await (const { key, value } of this.#store.scan(this.#layout.prefixes.states)) {
      reading('states', key, tell, () => {
        const states = decodeStates(value);
        index?.restate(states);
        kept.push({ number: this.#layout.numberOf(key), turn: states.turn, to: states.to });
        at = states.to;
      });
    }
    // Whoever reads beside commits knows less than they do.
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#kept = kept;
    this.#at = at;
    const last = kept.at(-1);
    this.#number = last === undefined ? 0 : last.number + 1;
    this.#turn = last?.turn ?? 0;
  }

  /** The part of the turn that a commit writes beside the states of `touched` rows. rows: those ever in use. */
  next(touched: number, rows: number): TurnPart {
    if (touched > 0 && this.#at >= rows) {
      this.#turn++;
      this.#at = 0;
    }
    const from = this.#at;
    if (touched > 0) this.#at = Math.min(rows, from + Math.max(touched, LEAST_ROWS));
    return { turn: this.#turn, from, to: this.#at };
  }

  /** Puts what a commit changed; parts come in the order in which `next` gave them. */
  put(batch: WriteBatch, { pages, ...states }: PackedEntities): void {
    const layout = this.#layout;
    for (const { page, names } of pages) {
      if (names.length > 0) batch.put(layout.namesKey(page), names);
      else batch.delete(layout.namesKey(page));
    }
    if (states.states.length === 0) return;
    const { turn, to } = states;
    batch.put(layout.statesKey(this.#number), encodeStates(states));
    this.#kept.push({ number: this.#number++, turn, to });
    for (let first = this.#kept[0]!; ; first = this.#kept[0]!) {
      // All rows that there were came since, in the rest of its turn and in the next one.
      if (!(turn > first.turn + 1 || (turn === first.turn + 1 && to >= first.to))) break;
      batch.delete(layout.statesKey(first.number));
      this.#kept.shift();
    }
  }
}

/** Reads an entry, and tells where that fails of damage. */
function reading(what: string, key: Uint8Array, tell: (what: string) => void, read: () => void): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof FatalError) || error.code !== 'store-damaged') throw error;
    tell(`${what} ${asBuffer(key).toString('hex')}: ${error.message}`);
  }
}

/** Tells where each name of a page begins and ends, and of which of its rows it is. @throws FatalError for one that can't be read. */
export function namesIn(
  layout: Layout,
  names: Uint8Array,
  each: (start: number, end: number, row: number) => void,
): void {
  for (let row = 0, start = 0; start < names.length; row++) {
    if (row === PAGE_ROWS) throw damaged('page of names', names);
    const type = names[start]!;
    const end = type === NO_NAME ? start + 1 : start + 3 + (names[start + 1] ?? 0);
    if (type !== NO_NAME) {
      if (type >= layout.entityTypes.length || end > names.length) throw damaged('page of names', names);
      each(start, end, row);
    }
    start = end;
  }
}

/** As in `Layout`. */
function encodeStates({ rows, turn, from, to, states }: EntityStates): Buffer {
  const header = Uint32Array.of(turn, from, to, rows.length);
  return Buffer.concat(
    [header, states, rows].map((of) => new Uint8Array(of.buffer, of.byteOffset, of.byteLength)),
  );
}

/** @throws FatalError `store-damaged` */
export function decodeStates(value: Uint8Array): EntityStates {
  // Numbers of eight bytes must not begin in between.
  const bytes = new Uint8Array(value);
  const headerBytes = 4 * HEADER_NUMBERS;
  if (bytes.length < headerBytes) throw damaged('entry of states', value);
  const [turn, from, to, count] = new Uint32Array(bytes.buffer, 0, HEADER_NUMBERS);
  const numbers = STATE_NUMBERS * (count! + to! - from!);
  if (to! < from! || bytes.length !== headerBytes + 8 * numbers + 4 * count!)
    throw damaged('entry of states', value);
  return {
    ...{ turn: turn!, from: from!, to: to! },
    states: new Float64Array(bytes.buffer, headerBytes, numbers),
    rows: new Int32Array(bytes.buffer, headerBytes + 8 * numbers, count),
  };
}
