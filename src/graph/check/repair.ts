import type { GraphStore } from '../graph-store.ts';
import { encodeHead, type Head } from '../head.ts';
import { type Store, WriteBatch } from '../store.ts';
import type { CheckReport } from './check.ts';
import { agree, edgePairs } from './edges.ts';
import { NAMED, RowMarks } from './entities.ts';
import type { FindingKind } from './findings.ts';

/** Puts and deletes in one batch. */
const BATCH = 4_096;
/** Findings that a new count in the head repairs. */
const COUNTS: readonly FindingKind[] = ['row-beyond', 'entities-more', 'edges-more'];

/** A finding that was repaired, and how. */
export interface Mended {
  readonly kind: FindingKind;
  readonly count: number;
  readonly did: string;
}

/**
 * Repairs only what follows for certain from the rest of the store. Losses stay, and the next check finds them again.
 * The caller must be the only writer. An interrupted repair can be run again.
 */
export async function repairStore(store: GraphStore, report: CheckReport): Promise<Mended[]> {
  const { head, findings } = report;
  if (head === undefined) return [];
  const count = (kind: FindingKind) => findings.find((finding) => finding.kind === kind)?.count ?? 0;
  const writer = new Writer(store.entries);
  const live = { ...report.edges };
  const mended: Mended[] = [];
  if (count('reverse-missing') + count('reverse-differs') > 0)
    mended.push(...(await mendReverse(store, writer)));
  if (count('reverse-extra') > 0) mended.push(...(await mendExtra(store, writer, head, live)));
  // While entities are lost or unreadable, a vector without an entity may belong to one of them.
  const named = count('entry-damaged') + count('entities-fewer') === 0;
  if (count('vector-orphan') > 0 && named) mended.push(await dropOrphans(store, writer));
  await writer.flush();
  const wrong = COUNTS.filter((kind) => count(kind) > 0);
  if (wrong.length > 0) {
    await writer.put(store.layout.headKey(), encodeHead(recounted(head, report, live)));
    await writer.flush();
  }
  mended.push(...wrong.map((kind) => ({ kind, count: count(kind), did: 'the head recounted' })));
  return mended.filter((each) => each.count > 0);
}

/** Writes reverse entries from the edges: training, digest and recovery read the edge itself. */
async function mendReverse(store: GraphStore, writer: Writer): Promise<Mended[]> {
  let missing = 0;
  let differing = 0;
  for await (const pair of edgePairs(store, 'forward')) {
    if (agree(pair)) continue;
    if (pair.other === undefined) missing++;
    else differing++;
    await writer.put(pair.otherKey, pair.entry.value);
  }
  return [
    { kind: 'reverse-missing', count: missing, did: 'written from the edges' },
    { kind: 'reverse-differs', count: differing, did: 'written from the edges' },
  ];
}

/**
 * Repairs reverse entries without an edge, by relation. Where the head counts exactly that many more edges, the edges
 * are restored: the reverse entry holds everything. Where the head counts no more edges, the entries are deleted.
 * Otherwise nothing is certain, and they stay.
 */
async function mendExtra(
  store: GraphStore,
  writer: Writer,
  head: Head,
  live: Record<string, number>,
): Promise<Mended[]> {
  const extra: Record<string, number> = {};
  for await (const { edge, other } of edgePairs(store, 'reverse')) {
    if (other === undefined && !edge.removed) extra[edge.relation] = (extra[edge.relation] ?? 0) + 1;
  }
  const missing = (relation: string) => (head.edges[relation] ?? 0) - (live[relation] ?? 0);
  const lost = new Set(Object.keys(extra).filter((relation) => missing(relation) === extra[relation]));
  const complete = new Set(
    head.model.relations.map(({ name }) => name).filter((name) => missing(name) === 0),
  );
  let back = 0;
  let dropped = 0;
  for await (const { edge, entry, otherKey, other } of edgePairs(store, 'reverse')) {
    if (other !== undefined) continue;
    if (lost.has(edge.relation)) {
      await writer.put(otherKey, entry.value);
      if (!edge.removed) live[edge.relation] = (live[edge.relation] ?? 0) + 1;
      back++;
    } else if (complete.has(edge.relation)) {
      await writer.delete(entry.key);
      dropped++;
    }
  }
  return [
    { kind: 'reverse-extra', count: back, did: 'their edges restored: the head counts them' },
    { kind: 'reverse-extra', count: dropped, did: 'deleted: the head does not count their edges' },
  ];
}

/** Deletes vectors on rows that no entity has. */
async function dropOrphans(store: GraphStore, writer: Writer): Promise<Mended> {
  const { layout, entries } = store;
  const rows = new RowMarks();
  for await (const { row } of store.entities()) rows.mark(row, NAMED);
  let dropped = 0;
  for await (const { key } of entries.scan(layout.prefixes.vectors)) {
    const row = layout.rowOf(key);
    if (row < 2 * layout.relations.length || rows.at(row) !== 0) continue;
    await writer.delete(key);
    dropped++;
  }
  return { kind: 'vector-orphan', count: dropped, did: 'deleted' };
}

/** The head with its counts raised to what the store holds. A higher count stays: it reports a loss. */
function recounted(head: Head, report: CheckReport, live: Readonly<Record<string, number>>): Head {
  const raised = (counts: Readonly<Record<string, number>>, there: Readonly<Record<string, number>>) => {
    const names = Object.keys({ ...counts, ...there });
    return Object.fromEntries(names.map((name) => [name, Math.max(counts[name] ?? 0, there[name] ?? 0)]));
  };
  return {
    ...head,
    rows: Math.max(head.rows, report.nextRow),
    entities: raised(head.entities, report.entities),
    edges: raised(head.edges, live),
  };
}

/** Writes puts and deletes in batches. */
class Writer {
  #batch = new WriteBatch();
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async put(key: Uint8Array, value: Uint8Array): Promise<void> {
    this.#batch.put(key, value);
    if (this.#batch.size >= BATCH) await this.flush();
  }

  async delete(key: Uint8Array): Promise<void> {
    this.#batch.delete(key);
    if (this.#batch.size >= BATCH) await this.flush();
  }

  async flush(): Promise<void> {
    const full = this.#batch;
    this.#batch = new WriteBatch();
    await this.#store.write(full);
  }
}
