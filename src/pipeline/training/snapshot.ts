import { type CheckpointBlock, type CheckpointRows, checkpointRows } from '../../graph/checkpoint.ts';
import { type EdgeRows, edgeRows } from '../../graph/edge.ts';
import type { KnownPositives } from '../../sampling/known-positives.ts';

/** What a snapshot reads; all of it may change while the snapshot is taken. */
export interface SnapshotParts {
  /** Rows in use. */
  readonly rows: number;
  /** Numbers of a row. */
  readonly width: number;
  /** Rows of each block but the last. */
  readonly blockRows: number;
  readonly known: KnownPositives;
  /** Copies a row's numbers, its type and whether it is trained to a place. */
  copy(row: number, to: CheckpointRows, place: number): void;
}

/** Rows copied aside lie in pages of so many: an object for each took most of the time of a snapshot. */
const PAGE_ROWS = 1 << 12;

/**
 * A table and its live edges as of one moment, taken block by block while the training goes on: a row is copied aside before it
 * moves, unless its block is taken already, and changes of edges are undone in the blocks that follow.
 */
export class Snapshot {
  readonly #parts: SnapshotParts;
  /** The first row that is not taken yet. */
  #next = 0;
  /** [rows] 1 + the slot of a row that was copied aside, or 0. */
  readonly #slots: Int32Array;
  readonly #pages: CheckpointRows[] = [];
  /** Slots whose rows are taken. */
  readonly #free: number[] = [];
  #used = 0;
  /** By lhs: whether an edge was live then, by relation and rhs as one number; only of edges that changed since. */
  readonly #wasLive = new Map<number, Map<number, boolean>>();

  constructor(parts: SnapshotParts) {
    this.#parts = parts;
    this.#slots = new Int32Array(parts.rows);
  }

  /** Rows copied aside. */
  get setAside(): number {
    return this.#used - this.#free.length;
  }

  /** To be called before a row moves or gets another type. */
  keep(row: number): void {
    if (row < this.#next || row >= this.#parts.rows || this.#slots[row] !== 0) return;
    const slot = this.#free.pop() ?? this.#used++;
    if (slot === this.#pages.length * PAGE_ROWS)
      this.#pages.push(checkpointRows(PAGE_ROWS, this.#parts.width));
    this.#parts.copy(row, this.#pages[Math.floor(slot / PAGE_ROWS)]!, slot % PAGE_ROWS);
    this.#slots[row] = 1 + slot;
  }

  /** To be called before an edge changes. */
  keepEdge(lhs: number, relation: number, rhs: number): void {
    if (lhs < this.#next || lhs >= this.#parts.rows) return;
    let ofRow = this.#wasLive.get(lhs);
    if (ofRow === undefined) {
      ofRow = new Map();
      this.#wasLive.set(lhs, ofRow);
    }
    const edge = edgeNumber(relation, rhs);
    if (!ofRow.has(edge)) ofRow.set(edge, this.#parts.known.has(lhs, relation, rhs));
  }

  take(): CheckpointBlock | undefined {
    const { rows, width, blockRows } = this.#parts;
    const first = this.#next;
    const count = Math.min(blockRows, rows - first);
    if (count === 0) return undefined;
    const block = checkpointRows(count, width);
    for (let i = 0; i < count; i++) {
      const slot = this.#slots[first + i]! - 1;
      if (slot < 0) this.#parts.copy(first + i, block, i);
      else this.#takeBack(slot, block, i);
    }
    const edges = this.#edges(first, count);
    this.#next = first + count;
    return { ...block, edges };
  }

  #takeBack(slot: number, to: CheckpointRows, place: number): void {
    const { width } = this.#parts;
    const { types, trained, floats } = this.#pages[Math.floor(slot / PAGE_ROWS)]!;
    const from = slot % PAGE_ROWS;
    to.types[place] = types[from]!;
    to.trained[place] = trained[from]!;
    for (let k = 0; k < width; k++) to.floats[place * width + k] = floats[from * width + k]!;
    this.#free.push(slot);
  }

  /** The live edges out of rows as they were, in any order. */
  #edges(first: number, count: number): EdgeRows {
    const now = this.#parts.known.out(first, count);
    if (this.#wasLive.size === 0) return now;
    /** Pairs of a row and an edge's number. */
    const were: number[] = [];
    for (let lhs = first; lhs < first + count; lhs++)
      for (const [edge, wasLive] of this.#wasLive.get(lhs) ?? []) if (wasLive) were.push(lhs, edge);
    const edges = edgeRows(now.lhs.length + were.length / 2);
    let live = 0;
    const put = (lhs: number, edge: number) => {
      edges.lhs[live] = lhs;
      edges.relation[live] = edge % RELATIONS;
      edges.rhs[live++] = Math.floor(edge / RELATIONS);
    };
    now.lhs.forEach((lhs, i) => {
      const edge = edgeNumber(now.relation[i]!, now.rhs[i]!);
      if (this.#wasLive.get(lhs)?.has(edge) !== true) put(lhs, edge);
    });
    for (let i = 0; i < were.length; i += 2) put(were[i]!, were[i + 1]!);
    const list = (of: Int32Array) => of.subarray(0, live);
    return { lhs: list(edges.lhs), relation: list(edges.relation), rhs: list(edges.rhs) };
  }
}

/** A relation's index is a byte. */
const RELATIONS = 256;

function edgeNumber(relation: number, rhs: number): number {
  return rhs * RELATIONS + relation;
}
