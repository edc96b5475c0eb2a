import { type EntityKey, typeOf } from '../entity.ts';
import type { EntityRecord, GraphStore } from '../graph-store.ts';
import type { Head } from '../head.ts';
import { asBuffer, decodeEntity, ENTITY_VALUE_BYTES } from '../layout.ts';
import { shardOf } from '../shard.ts';
import type { Entry } from '../store.ts';
import type { Findings } from './findings.ts';
import { type CheckedRows, OWN } from './rows.ts';

/** Entities by type. */
export interface EntityCounts {
  readonly types: Record<string, number>;
  /** Those that the shard owns; all of them where the graph is whole. */
  readonly own: Record<string, number>;
}

/** Checks every entity, and its row where the checkpoint is of the last commit: an older one may have another entity there. */
export async function checkEntities(
  store: GraphStore,
  head: Head | undefined,
  rows: CheckedRows | undefined,
  findings: Findings,
  onProgress: (entries: number) => void,
): Promise<EntityCounts> {
  const taken = new RowSet();
  const relationRows = 2 * store.layout.relations.length;
  const counts: EntityCounts = { types: {}, own: {} };
  const isNewest = head?.checkpoint === head?.commit;
  for await (const entry of store.entries.scan(store.layout.prefixes.entities)) {
    onProgress(1);
    const record = readEntity(store, entry);
    if (record === undefined) {
      findings.add('entry-damaged', `entity ${asBuffer(entry.key).toString('hex')}`);
      continue;
    }
    const { key, row } = record;
    const type = typeOf(key);
    const owner = head?.shard && shardOf(key, head.shard.count);
    const isForeign = owner !== head?.shard?.index;
    counts.types[type] = (counts.types[type] ?? 0) + 1;
    if (!isForeign) counts.own[type] = (counts.own[type] ?? 0) + 1;
    if (!taken.add(row) || row < relationRows) findings.add('row-shared', `${key} on row ${row}`);
    if (head && row >= head.rows) findings.add('row-beyond', `${key} on row ${row} of ${head.rows}`);
    if (rows && isNewest) checkRow(store, record, isForeign ? owner : undefined, rows, findings);
  }
  return counts;
}

/** owner: the other shard that the entity belongs to. The vector of its copy may still have to come, and be all zeros. */
function checkRow(
  { layout }: GraphStore,
  { key, row, updates }: EntityRecord,
  owner: number | undefined,
  { types, owners, zero }: CheckedRows,
  findings: Findings,
): void {
  const isThere = row < types.length;
  if (updates > 0 && (!isThere || (owner === undefined && zero[row] === 1)))
    findings.add('vector-missing', key);
  if (!isThere) return;
  const type = layout.entityTypes[types[row]!];
  if (owners[row] !== (owner ?? OWN))
    findings.add(
      'checkpoint-differs',
      `${key} on row ${row}, ${owners[row] === OWN ? 'no copy' : `a copy of shard ${owners[row]}'s`}`,
    );
  else if (owner === undefined && type !== typeOf(key))
    findings.add('checkpoint-differs', `${key} on row ${row}, of ${type ?? 'no type'}`);
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

/** Rows, one byte each, in pages: a damaged row number, however high, costs one page. */
class RowSet {
  readonly #pages = new Map<number, Uint8Array>();

  /** False where the row was there. */
  add(row: number): boolean {
    const number = Math.floor(row / PAGE_ROWS);
    const page = this.#pages.get(number) ?? new Uint8Array(PAGE_ROWS);
    this.#pages.set(number, page);
    const isNew = page[row % PAGE_ROWS] === 0;
    page[row % PAGE_ROWS] = 1;
    return isNew;
  }
}
