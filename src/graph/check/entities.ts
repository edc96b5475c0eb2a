import { typeOf } from '../entity.ts';
import type { EntityIndex } from '../entity-index.ts';
import type { EntityRecord, GraphStore } from '../graph-store.ts';
import type { Head } from '../head.ts';
import { shardOf } from '../shard.ts';
import type { Findings } from './findings.ts';
import { type CheckedRows, OWN } from './rows.ts';

/** Entities by type. */
export interface EntityCounts {
  readonly types: Record<string, number>;
  /** Those that the shard owns; all of them where the graph is whole. */
  readonly own: Record<string, number>;
}

/**
 * Checks every entity, and its row where the checkpoint is of the last commit: an older one may have another entity there. Gives how many
 * there are, and an index of those on possible rows. head: undefined where it can't be read.
 */
export async function checkEntities(
  store: GraphStore,
  head: Head | undefined,
  rows: CheckedRows | undefined,
  findings: Findings,
  onProgress: (entries: number) => void,
): Promise<{ counts: EntityCounts; index: EntityIndex }> {
  const index = await store.loadIndex(head, (what) => findings.add('entities-damaged', what));
  const counts: EntityCounts = { types: index.counts(), own: {} };
  const isNewest = head?.checkpoint === head?.commit;
  for (let row = 0; row < index.nextRow; row++) {
    const key = index.keyAt(row);
    if (key === undefined) continue;
    onProgress(1);
    const owner = head?.shard && shardOf(key, head.shard.count);
    const isForeign = owner !== head?.shard?.index;
    if (!isForeign) counts.own[typeOf(key)] = (counts.own[typeOf(key)] ?? 0) + 1;
    const record = { key, ...index.state(row) };
    if (rows && isNewest) checkRow(store, record, isForeign ? owner : undefined, rows, findings);
  }
  return { counts, index };
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

/** What `read` gives, or undefined where it throws. */
export function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    // The caller reports the unreadable bytes as a finding.
    return undefined;
  }
}
