import type { CheckpointBlock } from '../../graph/checkpoint.ts';
import type { EdgeRows } from '../../graph/edge.ts';
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
  /** Copies a row's numbers into `to` from `at` on, and gives its type and whether it is trained. */
  copy(row: number, to: Float32Array, at: number): { readonly type: number; readonly trained: number };
}

interface SetAside {
  readonly floats: Float32Array;
  readonly type: number;
  readonly trained: number;
}

/**
 * A table and its live edges as of one moment, taken block by block while the training goes on: a row is copied aside before it
 * moves, unless its block is taken already, and changes of edges are undone in the blocks that follow.
 */
export class Snapshot {
  readonly #parts: SnapshotParts;
  /** The first row that is not taken yet. */
  #next = 0;
  readonly #aside = new Map<number, SetAside>();
  /** By lhs: whether an edge was live then, by relation and rhs as one number; only of edges that changed since. */
  readonly #wasLive = new Map<number, Map<number, boolean>>();

  constructor(parts: SnapshotParts) {
    this.#parts = parts;
  }

  /** Rows copied aside. */
  get setAside(): number {
    return this.#aside.size;
  }

  /** To be called before a row moves or gets another type. */
  keep(row: number): void {
    if (row < this.#next || row >= this.#parts.rows || this.#aside.has(row)) return;
    const floats = new Float32Array(this.#parts.width);
    this.#aside.set(row, { floats, ...this.#parts.copy(row, floats, 0) });
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
    const floats = new Float32Array(count * width);
    const [types, trained] = [new Uint8Array(count), new Uint8Array(count)];
    for (let i = 0; i < count; i++) {
      const aside = this.#aside.get(first + i);
      if (aside !== undefined) floats.set(aside.floats, i * width);
      const of = aside ?? this.#parts.copy(first + i, floats, i * width);
      types[i] = of.type;
      trained[i] = of.trained;
      this.#aside.delete(first + i);
    }
    const edges = this.#edges(first, count);
    this.#next = first + count;
    return { types, trained, floats, edges };
  }

  /** The live edges out of rows as they were, in any order. */
  #edges(first: number, count: number): EdgeRows {
    const now = this.#parts.known.out(first, count);
    if (this.#wasLive.size === 0) return now;
    const edges: (readonly [lhs: number, relation: number, rhs: number])[] = [];
    now.lhs.forEach((lhs, i) => {
      const [relation, rhs] = [now.relation[i]!, now.rhs[i]!];
      if (this.#wasLive.get(lhs)?.has(edgeNumber(relation, rhs)) !== true) edges.push([lhs, relation, rhs]);
    });
    for (let lhs = first; lhs < first + count; lhs++) {
      for (const [edge, wasLive] of this.#wasLive.get(lhs) ?? [])
        if (wasLive) edges.push([lhs, edge % RELATIONS, Math.floor(edge / RELATIONS)]);
      this.#wasLive.delete(lhs);
    }
    const of = (part: 0 | 1 | 2) => Int32Array.from(edges, (edge) => edge[part]);
    return { lhs: of(0), relation: of(1), rhs: of(2) };
  }
}

/** A relation's index is a byte. */
const RELATIONS = 256;

function edgeNumber(relation: number, rhs: number): number {
  return rhs * RELATIONS + relation;
}
