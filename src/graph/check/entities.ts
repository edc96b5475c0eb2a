import { type EntityKey, typeOf } from '../entity.ts';
import type { EntityRecord, GraphStore } from '../graph-store.ts';
import type { Head } from '../head.ts';
import { asBuffer, decodeEntity, ENTITY_VALUE_BYTES } from '../layout.ts';
import { COPY_ACCUMULATOR, shardOf } from '../shard.ts';
import type { Entry } from '../store.ts';
import type { Findings } from './findings.ts';

/** Entities by type. */
export interface EntityCounts {
  readonly types: Record<string, number>;
  /** Those that the shard owns; all of them where the graph is whole. */
  readonly own: Record<string, number>;
}

/** Checks every entity and every row. */
export async function checkEntities(
  store: GraphStore,
  head: Head | undefined,
  findings: Findings,
  onProgress: (entries: number) => void,
): Promise<EntityCounts> {
  const marks = new RowMarks();
  const relationRows = 2 * store.layout.relations.length;
  const counts: EntityCounts = { types: {}, own: {} };
  let withoutVector = 0;
  for await (const entry of store.entries.scan(store.layout.prefixes.entities)) {
    onProgress(1);
    const record = readEntity(store, entry);
    if (record === undefined) {
      findings.add('entry-damaged', `entity ${asBuffer(entry.key).toString('hex')}`);
      continue;
    }
    const { key, row, updates } = record;
    const type = typeOf(key);
    const isForeign = head?.shard !== undefined && shardOf(key, head.shard.count) !== head.shard.index;
    counts.types[type] = (counts.types[type] ?? 0) + 1;
    if (!isForeign) counts.own[type] = (counts.own[type] ?? 0) + 1;
    if (marks.at(row) !== 0 || row < relationRows) findings.add('row-shared', `${key} on row ${row}`);
    if (head && row >= head.rows) findings.add('row-beyond', `${key} on row ${row} of ${head.rows}`);
    marks.mark(row, (updates > 0 ? NAMED | TRAINED : NAMED) | (isForeign ? FOREIGN : 0));
    if (updates > 0) withoutVector++;
  }
  for await (const { key, value } of store.entries.scan(store.layout.prefixes.vectors)) {
    onProgress(1);
    const row = attempt(() => store.layout.rowOf(key));
    if (row === undefined) {
      findings.add('entry-damaged', `vector ${asBuffer(key).toString('hex')}`);
      continue;
    }
    const problem = vectorProblem(store, head, value, (marks.at(row) & FOREIGN) !== 0);
    if (problem !== undefined) findings.add('vector-damaged', `row ${row}: ${problem}`);
    if (row >= relationRows && marks.at(row) === 0) findings.add('vector-orphan', `row ${row}`);
    if ((marks.at(row) & TRAINED) !== 0) withoutVector--;
    marks.mark(row, STORED);
  }
  for (let row = 0; head && row < relationRows; row++) {
    const { name } = store.layout.relations[row >> 1]!;
    if (marks.at(row) === 0) findings.add('vector-missing', `relation ${name}`);
  }
  if (withoutVector > 0) await nameMissing(store, marks, findings);
  return counts;
}

/** Names the entities without a vector. A second pass over all entities, made only where the counts differ. */
async function nameMissing(store: GraphStore, marks: RowMarks, findings: Findings): Promise<void> {
  for await (const entry of store.entries.scan(store.layout.prefixes.entities)) {
    const record = readEntity(store, entry);
    if (record && (marks.at(record.row) & (TRAINED | STORED)) === TRAINED)
      findings.add('vector-missing', record.key);
  }
}

/** Undefined where the key or the value is not that of an entity. */
function readEntity({ layout }: GraphStore, { key, value }: Entry): EntityRecord | undefined {
  const entity: EntityKey | undefined = attempt(() => layout.entityOf(key));
  if (entity === undefined || value.length !== ENTITY_VALUE_BYTES) return undefined;
  const kept = decodeEntity(value);
  const { firstSeen, lastSeen } = kept;
  if (!Number.isFinite(firstSeen) || !Number.isFinite(lastSeen) || firstSeen > lastSeen) return undefined;
  return { key: entity, ...kept };
}

/** What is wrong with a row's value. The length of the vector is not checked: its limit is a setting that can change. */
function vectorProblem(
  { layout }: GraphStore,
  head: Head | undefined,
  value: Uint8Array,
  isForeign: boolean,
): string | undefined {
  if (value.length !== layout.vectorBytes) return `${value.length} bytes, expected ${layout.vectorBytes}`;
  const view = asBuffer(value);
  const { dim } = layout;
  for (let i = 0; i < dim + 2; i++) {
    const number = view.readFloatLE(i * 4);
    const name = i < dim ? `number ${i}` : i === dim ? 'the accumulator' : 'the drift';
    const isMark = i === dim && isForeign;
    if (!Number.isFinite(number) || (isMark ? number !== COPY_ACCUMULATOR : i >= dim && number < 0))
      return `${name} is ${number}`;
  }
  const step = view.readDoubleLE(value.length - 8);
  const possible = Number.isSafeInteger(step) && step >= 0 && step <= (head?.step ?? step);
  return possible ? undefined : `of step ${step}, the head is at ${head?.step}`;
}

/** What `read` gives, or undefined where it throws. */
export function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    // The caller reports the unreadable bytes as a finding.
    return undefined;
  }
}

const PAGE_ROWS = 65_536;

/** Marks of a row: an entity has the row, the entity was trained, the row's vector is stored. */
const NAMED = 1;
const TRAINED = 2;
const STORED = 4;
/** The entity belongs to another shard. */
const FOREIGN = 8;

/** A few bits for each row, in pages: a damaged row number, however high, costs one page. */
class RowMarks {
  readonly #pages = new Map<number, Uint8Array>();

  at(row: number): number {
    return this.#pages.get(Math.floor(row / PAGE_ROWS))?.[row % PAGE_ROWS] ?? 0;
  }

  mark(row: number, bits: number): void {
    const number = Math.floor(row / PAGE_ROWS);
    let page = this.#pages.get(number);
    if (page === undefined) {
      page = new Uint8Array(PAGE_ROWS);
      this.#pages.set(number, page);
    }
    page[row % PAGE_ROWS] = (page[row % PAGE_ROWS] ?? 0) | bits;
  }
}
