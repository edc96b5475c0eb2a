import { type EntityKey, entityKey, isOfType, MAX_ID_BYTES } from '../graph/entity.ts';
import { NameIndex } from '../graph/name-index.ts';
import { mostScanRows } from '../kernels/scan/layout.ts';
import { rowMarks } from '../kernels/scan/scan.ts';
import { ScanTable } from '../kernels/scan/table.ts';

const PAGE_SHIFT = 12;
const PAGE_ROWS = 1 << PAGE_SHIFT;
/** Bytes of a row. */
const ROW_BYTES = 17;

interface Page {
  readonly activeAt: Float64Array;
  readonly vectorAt: Float64Array;
  readonly superseded: Uint8Array;
}

/**
 * What a table knows of each row beside its vector and its name. In pages outside V8's heap, so that twenty million rows move nothing
 * when they grow. All is 0 at first.
 */
export class RowFacts {
  readonly #pages: Page[] = [];
  #superseded = 0;

  get bytes(): number {
    return this.#pages.length * PAGE_ROWS * ROW_BYTES;
  }

  /** Time of the newest event that names the row's entity, epoch ms; 0 where none is known. */
  activeAt(row: number): number {
    return this.#pages[row >> PAGE_SHIFT]!.activeAt[row & (PAGE_ROWS - 1)]!;
  }

  /** Time of the newest event that the row's vector has learned, epoch ms. */
  vectorAt(row: number): number {
    return this.#pages[row >> PAGE_SHIFT]!.vectorAt[row & (PAGE_ROWS - 1)]!;
  }

  /** Whether the newest record of the row's entity is of another space. */
  isSuperseded(row: number): boolean {
    return this.#pages[row >> PAGE_SHIFT]!.superseded[row & (PAGE_ROWS - 1)] === 1;
  }

  /** Rows that are superseded. */
  get superseded(): number {
    return this.#superseded;
  }

  setActiveAt(row: number, at: number): void {
    this.#pageOf(row).activeAt[row & (PAGE_ROWS - 1)] = at;
  }

  setVectorAt(row: number, at: number): void {
    this.#pageOf(row).vectorAt[row & (PAGE_ROWS - 1)] = at;
  }

  setSuperseded(row: number, isSuperseded: boolean): void {
    if (this.isSuperseded(row) === isSuperseded) return;
    this.#superseded += isSuperseded ? 1 : -1;
    this.#pageOf(row).superseded[row & (PAGE_ROWS - 1)] = isSuperseded ? 1 : 0;
  }

  #pageOf(row: number): Page {
    const page = row >> PAGE_SHIFT;
    while (this.#pages.length <= page)
      this.#pages.push({
        activeAt: new Float64Array(PAGE_ROWS),
        vectorAt: new Float64Array(PAGE_ROWS),
        superseded: new Uint8Array(PAGE_ROWS),
      });
    return this.#pages[page]!;
  }
}

/** UTF-8 has at most so many bytes for a character of a string. */
const MOST_BYTES = 3;
/** Times that the marks of idle rows are kept for. */
const KEPT_MARKS = 4;

/** Some rows of a table. Never changed. */
export interface MarkedRows {
  /** As `rowMarks` gives them: 1 for a row that is among them. */
  readonly marks: Uint8Array;
  readonly count: number;
}

/**
 * The vectors of the entities of one type, by name. A row that an entity gave up is used again. More rows than can
 * be scanned are never asked for. Names are kept as the bytes of their ids.
 */
export class VectorTable {
  readonly scan: ScanTable;
  readonly #type: string;
  /** Rows by id. */
  readonly #ids = new NameIndex();
  /** Scratch for the id that is looked up. */
  #id = Buffer.alloc(MAX_ID_BYTES);
  readonly #free: number[] = [];
  readonly #facts = new RowFacts();
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

  /** Entities that have a vector. */
  get size(): number {
    return this.#ids.size;
  }

  /** Entities whose newest record is of another space. */
  get superseded(): number {
    return this.#facts.superseded;
  }

  /** Bytes of the vectors, codes and measures, and of what is known of each row besides. */
  get bytes(): number {
    return this.scan.memoryBytes + this.#facts.bytes;
  }

  /**
   * activeAt: when the entity was active, for a row that is new; at: time of the newest event that the vector has learned, epoch
   * ms. @throws FatalError `table-full` when there is no row left.
   */
  set(
    name: EntityKey,
    vector: Float32Array,
    activeAt: (name: EntityKey) => number = neverActive,
    at = 0,
  ): void {
    const end = this.#write(name);
    const known = this.#ids.find(this.#id, 0, end);
    if (end < 0) throw new TypeError(`${name} is no ${this.#type}`);
    const row = known >= 0 ? known : (this.#free.at(-1) ?? this.scan.rows);
    // Written first: a vector that the table refuses leaves nothing behind.
    this.scan.write(row, vector);
    this.#facts.setVectorAt(row, at);
    if (this.#facts.superseded > 0) this.#facts.setSuperseded(row, false);
    if (known >= 0) return;
    if (row === this.#free.at(-1)) this.#free.pop();
    this.#forgetMarks();
    // Asked first: the row may still have the time of whom it belonged to. Whoever is asked may look for names here.
    this.#facts.setActiveAt(row, activeAt(name));
    this.#ids.add(this.#id, 0, this.#write(name), row);
  }

  /** An event of that time names the entity. Whether the entity has a vector. */
  active(name: EntityKey, at: number): boolean {
    const row = this.rowOf(name);
    if (row === undefined) return false;
    const before = this.#facts.activeAt(row);
    if (at > before) {
      this.#facts.setActiveAt(row, at);
      // Of a row that no marks have, they stay true.
      if (before === 0 || before < this.#idleBefore) this.#forgetMarks();
    }
    return true;
  }

  /** When the entity was active last, epoch ms; 0 where that is not known. */
  activeAt(name: EntityKey): number {
    const row = this.rowOf(name);
    return row === undefined ? 0 : this.#facts.activeAt(row);
  }

  /** Time of the newest event that the entity's vector has learned, epoch ms; undefined without a vector. */
  vectorAt(name: EntityKey): number | undefined {
    const row = this.rowOf(name);
    return row === undefined ? undefined : this.#facts.vectorAt(row);
  }

  /** The newest record of the entity is of another space. */
  supersede(name: EntityKey): void {
    const row = this.rowOf(name);
    if (row !== undefined) this.#facts.setSuperseded(row, true);
  }

  isSuperseded(name: EntityKey): boolean {
    const row = this.rowOf(name);
    return row !== undefined && this.#facts.isSuperseded(row);
  }

  /**
   * The rows whose entities were active last before that time. unknown: those of which no event is known, too. Who asks the
   * same of the same state gets the same marks.
   */
  idleRows(before: number, unknown: boolean): MarkedRows {
    const asked = `${before} ${unknown}`;
    const known = this.#idle.get(asked);
    if (known !== undefined) return known;
    const { rows } = this.scan;
    const marks = rowMarks(rows);
    let count = 0;
    for (let row = 0; row < rows; row++) {
      if (!this.#ids.has(row)) continue;
      const at = this.#facts.activeAt(row);
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
    this.#facts.setSuperseded(row, false);
    this.#forgetMarks();
    this.#ids.remove(row);
    this.#free.push(row);
    return true;
  }

  rowOf(name: EntityKey): number | undefined {
    const row = this.#ids.find(this.#id, 0, this.#write(name));
    return row < 0 ? undefined : row;
  }

  /** @throws TypeError for a row without an entity. */
  nameOf(row: number): EntityKey {
    const id = this.#ids.nameAt(row);
    if (id === undefined) throw new TypeError(`row ${row} has no entity`);
    return entityKey(this.#type, id.toString('utf8'));
  }

  /** The entity at a place among all, from 0 to below 1; undefined where there is none. Each is about as likely as any other. */
  nameAt(place: number): EntityKey | undefined {
    const { rows } = this.scan;
    const first = Math.floor(place * rows);
    for (let i = 0; i < rows; i++) {
      const row = (first + i) % rows;
      if (this.#ids.has(row)) return this.nameOf(row);
    }
    return undefined;
  }

  /** Each entity with its row. */
  *entries(): IterableIterator<[EntityKey, number]> {
    for (let row = 0; row < this.scan.rows; row++) if (this.#ids.has(row)) yield [this.nameOf(row), row];
  }

  *names(): IterableIterator<EntityKey> {
    for (const [name] of this.entries()) yield name;
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

  /** Writes the bytes of the entity's id into the scratch, and gives their end; -1 for an entity of another type. */
  #write(name: EntityKey): number {
    const from = this.#type.length + 1;
    if (!isOfType(name, this.#type)) return -1;
    const end = name.length - from;
    if (end * MOST_BYTES > this.#id.length) this.#id = Buffer.alloc(end * MOST_BYTES);
    for (let i = 0; i < end; i++) {
      const code = name.charCodeAt(from + i);
      if (code >= 0x80) return this.#id.write(name.slice(from));
      this.#id[i] = code;
    }
    return end;
  }
}

function neverActive(): number {
  return 0;
}
