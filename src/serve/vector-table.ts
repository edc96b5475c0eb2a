import type { EntityKey } from '../graph/entity.ts';
import { mostScanRows } from '../kernels/scan/layout.ts';
import { rowMarks } from '../kernels/scan/scan.ts';
import { ScanTable } from '../kernels/scan/table.ts';

/** Times that the marks of idle rows are kept for. */
const KEPT_MARKS = 4;

/** Some rows of a table. Never changed. */
export interface MarkedRows {
  /** As `rowMarks` gives them: 1 for a row that is among them. */
  readonly marks: Uint8Array;
  readonly count: number;
}

/**
 * The vectors of the entities of one type, by name. A row that an entity gave up is used again. More rows than a WebAssembly
 * memory holds are never asked for.
 */
export class VectorTable {
  readonly scan: ScanTable;
  readonly #rows = new Map<EntityKey, number>();
  /** By row; undefined where the row is free. */
  readonly #names: (EntityKey | undefined)[] = [];
  readonly #free: number[] = [];
  /** By row: time of the newest event that names the entity, epoch ms; 0 where none is known. */
  readonly #activeAt: number[] = [];
  /** What was answered since a row came, went or was active. */
  readonly #idle = new Map<string, MarkedRows>();
  /** The latest time that marks were asked for. */
  #idleBefore = Number.NEGATIVE_INFINITY;

  /** scanners: how many scan it at the same time. */
  constructor(dim: number, maxRows: number, scanners = 1) {
    this.scan = new ScanTable({
      dim,
      maxRows: Math.min(maxRows, mostScanRows({ dim, scanners })),
      scanners,
    });
  }

  /** Entities that have a vector. */
  get size(): number {
    return this.#rows.size;
  }

  /** Bytes of the vectors, codes and measures, and of the times. */
  get bytes(): number {
    return this.scan.place.memory.buffer.byteLength + 8 * this.#activeAt.length;
  }

  /** activeAt: when the entity was active, for a row that is new. @throws FatalError `table-full` when there is no row left. */
  set(name: EntityKey, vector: Float32Array, activeAt: () => number = () => 0): void {
    const row = this.#rows.get(name) ?? this.#free.at(-1) ?? this.#names.length;
    // Written first: a vector that the table refuses leaves nothing behind.
    this.scan.write(row, vector);
    if (this.#rows.has(name)) return;
    if (row === this.#free.at(-1)) this.#free.pop();
    this.#forgetMarks();
    // Asked first: the row may still have the time of whom it belonged to.
    this.#activeAt[row] = activeAt();
    this.#names[row] = name;
    this.#rows.set(name, row);
  }

  /** An event of that time names the entity. Whether the entity has a vector. */
  active(name: EntityKey, at: number): boolean {
    const row = this.#rows.get(name);
    if (row === undefined) return false;
    const before = this.#activeAt[row]!;
    if (at > before) {
      this.#activeAt[row] = at;
      // Of a row that no marks have, they stay true.
      if (before === 0 || before < this.#idleBefore) this.#forgetMarks();
    }
    return true;
  }

  /** When the entity was active last, epoch ms; 0 where that is not known. */
  activeAt(name: EntityKey): number {
    const row = this.#rows.get(name);
    return row === undefined ? 0 : this.#activeAt[row]!;
  }

  /**
   * The rows whose entities were active last before that time. unknown: those of which no event is known, too. Who asks the
   * same of the same state gets the same marks.
   */
  idleRows(before: number, unknown: boolean): MarkedRows {
    const asked = `${before} ${unknown}`;
    const known = this.#idle.get(asked);
    if (known !== undefined) return known;
    const marks = rowMarks(this.#names.length);
    let count = 0;
    for (let row = 0; row < this.#names.length; row++) {
      const at = this.#activeAt[row]!;
      if (this.#names[row] === undefined || !(at === 0 ? unknown : at < before)) continue;
      marks[row] = 1;
      count++;
    }
    const idle = { marks, count };
    if (this.#idle.size === KEPT_MARKS) this.#forgetMarks();
    this.#idle.set(asked, idle);
    this.#idleBefore = Math.max(this.#idleBefore, before);
    return idle;
  }

  #forgetMarks(): void {
    this.#idle.clear();
    this.#idleBefore = Number.NEGATIVE_INFINITY;
  }

  /** Whether the entity had a vector. */
  delete(name: EntityKey): boolean {
    const row = this.#rows.get(name);
    if (row === undefined) return false;
    this.scan.clear(row);
    this.#forgetMarks();
    this.#rows.delete(name);
    this.#names[row] = undefined;
    this.#free.push(row);
    return true;
  }

  rowOf(name: EntityKey): number | undefined {
    return this.#rows.get(name);
  }

  /** @throws TypeError for a row without an entity. */
  nameOf(row: number): EntityKey {
    const name = this.#names[row];
    if (name === undefined) throw new TypeError(`row ${row} has no entity`);
    return name;
  }

  /** The entity at a place among all, from 0 to below 1; undefined where there is none. Each is about as likely as any other. */
  nameAt(place: number): EntityKey | undefined {
    const first = Math.floor(place * this.#names.length);
    for (let i = 0; i < this.#names.length; i++) {
      const name = this.#names[(first + i) % this.#names.length];
      if (name !== undefined) return name;
    }
    return undefined;
  }

  /** Each entity with its row. */
  entries(): IterableIterator<[EntityKey, number]> {
    return this.#rows.entries();
  }

  names(): IterableIterator<EntityKey> {
    return this.#rows.keys();
  }

  vectorOf(name: EntityKey): Float32Array | undefined {
    const row = this.#rows.get(name);
    return row === undefined ? undefined : this.scan.vector(row);
  }

  /** The rows of those names that have one. */
  rowsOf(names: Iterable<EntityKey>): number[] {
    const rows: number[] = [];
    for (const name of names) {
      const row = this.#rows.get(name);
      if (row !== undefined) rows.push(row);
    }
    return rows;
  }
}
