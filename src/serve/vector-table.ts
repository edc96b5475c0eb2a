import { type EntityKey, isOfType } from '../graph/entity.ts';
import { PagedNumbers } from '../graph/paged-numbers.ts';
import { mostScanRows } from '../kernels/scan/layout.ts';
import { rowMarks } from '../kernels/scan/scan.ts';
import { ScanTable } from '../kernels/scan/table.ts';
import { EntityIds } from './entity-ids.ts';

/** Times that the marks of idle rows are kept for. */
const KEPT_MARKS = 4;

/** Some rows of a table. Never changed. */
export interface MarkedRows {
  /** As `rowMarks` gives them: 1 for a row that is among them. */
  readonly marks: Uint8Array;
  readonly count: number;
}

/** The vectors of one type, by name. A row that an entity gave up is used again. */
export class VectorTable {
  readonly scan: ScanTable;
  readonly #type: string;
  /** The id of an entity is its row. */
  readonly #ids = new EntityIds();
  /** By row: time of the newest event that names the entity, epoch ms; 0 where none is known. */
  readonly #activeAt = new PagedNumbers((rows) => new Float64Array(rows));
  /** By row: time of the newest event that the vector has learned, epoch ms. */
  readonly #vectorAt = new PagedNumbers((rows) => new Float64Array(rows));
  /** By row: 1 where the newest record of the entity is of another space. */
  readonly #isSuperseded = new PagedNumbers((rows) => new Uint8Array(rows));
  #superseded = 0;
  /** What was answered since a row came, went or was active. */
  readonly #idle = new Map<string, MarkedRows>();
  /** The latest time that marks were asked for. */
  #idleBefore = Number.NEGATIVE_INFINITY;

  /** type: of all its entities; scanners: how many scan it at the same time. */
  constructor(type: string, dim: number, maxRows: number, scanners = 1) {
    this.#type = type;
    this.scan = new ScanTable({
      dim,
      maxRows: Math.min(maxRows, mostScanRows({ dim, scanners })),
      scanners,
    });
  }

  get size(): number {
    return this.#ids.size;
  }

  /** Entities whose newest record is of another space. */
  get superseded(): number {
    return this.#superseded;
  }

  /** Bytes of the vectors, codes and measures, and of what is known of each row besides. */
  get bytes(): number {
    const facts = [this.#activeAt, this.#vectorAt, this.#isSuperseded];
    return facts.reduce((sum, { bytes }) => sum + bytes, this.scan.memoryBytes);
  }

  /**
   * activeAt: when the entity was active, for a row that is new; at: time of the newest event that the vector has learned, epoch
   * ms. @throws FatalError `table-full` when there is no row left.
   */
  set(name: EntityKey, vector: Float32Array, activeAt: (name: EntityKey) => number = () => 0, at = 0): void {
    if (!isOfType(name, this.#type)) throw new TypeError(`${name} is no ${this.#type}`);
    const known = this.#ids.find(name);
    const row = known >= 0 ? known : this.#ids.next;
    // Written first: a vector that the table refuses leaves nothing behind.
    this.scan.write(row, vector);
    this.#vectorAt.set(row, at);
    this.#setSuperseded(row, 0);
    if (known >= 0) return;
    this.#forgetMarks();
    // Before the name is held: `activeAt` may look for names in this table. The row may still have the time of its entity before.
    this.#activeAt.set(row, activeAt(name));
    this.#ids.hold(name);
  }

  /** An event of that time names the entity. Whether the entity has a vector. */
  active(name: EntityKey, at: number): boolean {
    const row = this.rowOf(name);
    if (row === undefined) return false;
    const before = this.#activeAt.get(row);
    if (at > before) {
      this.#activeAt.set(row, at);
      // Marks stay true of a row that they do not name.
      if (before === 0 || before < this.#idleBefore) this.#forgetMarks();
    }
    return true;
  }

  /** When the entity was active last, epoch ms; 0 where that is not known. */
  activeAt(name: EntityKey): number {
    const row = this.rowOf(name);
    return row === undefined ? 0 : this.#activeAt.get(row);
  }

  /** Time of the newest event that the entity's vector has learned, epoch ms; undefined without a vector. */
  vectorAt(name: EntityKey): number | undefined {
    const row = this.rowOf(name);
    return row === undefined ? undefined : this.#vectorAt.get(row);
  }

  /** The newest record of the entity is of another space. */
  supersede(name: EntityKey): void {
    const row = this.rowOf(name);
    if (row !== undefined) this.#setSuperseded(row, 1);
  }

  #setSuperseded(row: number, isSuperseded: 0 | 1): void {
    const before = this.#isSuperseded.get(row);
    if (before === isSuperseded) return;
    this.#superseded += isSuperseded - before;
    this.#isSuperseded.set(row, isSuperseded);
  }

  isSuperseded(name: EntityKey): boolean {
    const row = this.rowOf(name);
    return row !== undefined && this.#isSuperseded.get(row) === 1;
  }

  /** Rows last active before that time. unknown: also those without a known event. The same marks for the same question and state. */
  idleRows(before: number, unknown: boolean): MarkedRows {
    const asked = `${before} ${unknown}`;
    const known = this.#idle.get(asked);
    if (known !== undefined) return known;
    const { rows } = this.scan;
    const marks = rowMarks(rows);
    let count = 0;
    for (let row = 0; row < rows; row++) {
      if (!this.scan.has(row)) continue;
      const at = this.#activeAt.get(row);
      if (!(at === 0 ? unknown : at < before)) continue;
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
    const row = this.rowOf(name);
    if (row === undefined) return false;
    this.scan.clear(row);
    this.#setSuperseded(row, 0);
    this.#forgetMarks();
    this.#ids.release(row);
    return true;
  }

  rowOf(name: EntityKey): number | undefined {
    const row = this.#ids.find(name);
    return row < 0 ? undefined : row;
  }

  /** @throws TypeError for a row without an entity. */
  nameOf(row: number): EntityKey {
    return this.#ids.nameOf(row);
  }

  /** The entity at a place among all, from 0 to below 1; undefined where there is none. Each is about as likely as any other. */
  nameAt(place: number): EntityKey | undefined {
    const { rows } = this.scan;
    const first = Math.floor(place * rows);
    for (let i = 0; i < rows; i++) {
      const row = (first + i) % rows;
      if (this.scan.has(row)) return this.nameOf(row);
    }
    return undefined;
  }

  *entries(): Generator<[EntityKey, number], undefined> {
    for (let row = 0; row < this.scan.rows; row++) if (this.scan.has(row)) yield [this.nameOf(row), row];
  }

  names(): IteratorObject<EntityKey> {
    return this.entries().map(([name]) => name);
  }

  vectorOf(name: EntityKey): Float32Array | undefined {
    const row = this.rowOf(name);
    return row === undefined ? undefined : this.scan.vector(row);
  }

  /** The rows of those names that have one. */
  rowsOf(names: Iterable<EntityKey>): number[] {
    const rows: number[] = [];
    for (const name of names) {
      const row = this.rowOf(name);
      if (row !== undefined) rows.push(row);
    }
    return rows;
  }
}
