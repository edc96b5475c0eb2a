import { FatalError } from '../../errors/errors.ts';
import { type Difference, differencesFrom, unequal } from '../census.ts';
import type { GraphStore } from '../graph-store.ts';
import type { Head } from '../head.ts';
import { asBuffer } from '../layout.ts';
import { checkEdges } from './edges.ts';
import { attempt, checkEntities } from './entities.ts';
import { type Finding, Findings } from './findings.ts';

/** What a store holds, counted, and everything that is wrong with it. */
export interface CheckReport {
  readonly head: Head | undefined;
  readonly entities: Readonly<Record<string, number>>;
  /** Live edges by relation. */
  readonly edges: Readonly<Record<string, number>>;
  readonly removed: number;
  /** Names in the outbox. A name in two parts counts twice. */
  readonly outbox: number;
  readonly findings: readonly Finding[];
}

/**
 * Reads the whole store and reports every finding. Memory: one byte a row and one batch of edges.
 * onProgress: entries checked so far.
 * @throws FatalError when the files can't be read.
 */
export async function checkStore(
  store: GraphStore,
  onProgress: (entries: number) => void = () => {},
): Promise<CheckReport> {
  const findings = new Findings();
  let done = 0;
  const progress = (entries: number) => {
    done += entries;
    if (done % 10_000 === 0) onProgress(done);
  };
  const head = await readHead(store, findings);
  const entities = await checkEntities(store, head, findings, progress);
  const edges = await checkEdges(store, findings, progress, head?.shard);
  const outbox = await checkOutbox(store, findings);
  await checkErasures(store, findings);
  await checkUnknown(store, findings);
  const report = {
    head,
    entities: entities.types,
    edges: edges.live,
    removed: edges.removed,
    outbox: outbox.names,
  };
  if (head) {
    addDifferences(findings, differencesFrom(head, { ...report, outbox }));
    if (head.shard) {
      const whose = "the shard's own ";
      addDifferences(findings, unequal('entities', head.shard.entities, entities.own), whose);
      addDifferences(findings, unequal('live edges', head.shard.edges, edges.own), whose);
    }
    checkOffsets(head, findings);
  } else if (done > 0 && findings.count('head-damaged') === 0) {
    findings.add('head-missing', `${done} entries`);
  }
  return { ...report, findings: findings.list() };
}

async function readHead(store: GraphStore, findings: Findings): Promise<Head | undefined> {
  try {
    return await store.head();
  } catch (error) {
    if (!(error instanceof FatalError) || error.code !== 'store-damaged') throw error;
    findings.add('head-damaged', error.message);
    return undefined;
  }
}

/** Checks and counts what waits to be published. */
async function checkOutbox(
  { layout, entries }: GraphStore,
  findings: Findings,
): Promise<{ names: number; parts: number }> {
  let [names, parts] = [0, 0];
  const damaged = (key: Uint8Array) =>
    findings.add('entry-damaged', `outbox ${asBuffer(key).toString('hex')}`);
  for await (const { key, value } of entries.scan(layout.prefixes.outbox)) {
    parts++;
    const held = attempt(() => layout.decodeNames(value))?.length ?? 0;
    names += held;
    if (held === 0 || attempt(() => layout.outboxNumberOf(key)) === undefined) damaged(key);
  }
  return { names, parts };
}

/** Checks the entries of erased entities. */
async function checkErasures({ layout, entries }: GraphStore, findings: Findings): Promise<void> {
  for await (const { key, value } of entries.scan(layout.prefixes.erased)) {
    const at = value.length === 8 ? asBuffer(value).readDoubleLE(0) : Number.NaN;
    if (!layout.isErasedKey(key) || !Number.isFinite(at))
      findings.add('entry-damaged', `erasure ${asBuffer(key).toString('hex')}`);
  }
}

/** Reports keys of an unknown kind, and keys that begin like the head's. */
async function checkUnknown({ layout, entries }: GraphStore, findings: Findings): Promise<void> {
  const { entities, vectors, edges, reverse, outbox, erased } = layout.prefixes;
  const known = new Set([entities, vectors, edges, reverse, outbox, erased].map((prefix) => prefix[0]));
  const head = layout.headKey();
  for (let first = 0; first < 256; first++) {
    if (known.has(first)) continue;
    for await (const { key } of entries.scan(Uint8Array.of(first))) {
      if (Buffer.compare(key, head) !== 0) findings.add('key-unknown', asBuffer(key).toString('hex'));
    }
  }
}

function addDifferences(findings: Findings, differences: readonly Difference[], whose = ''): void {
  for (const { what, name, found, counted } of differences) {
    const place = `${whose}${name || what}: ${found}, counted ${counted}`;
    const size = found < counted ? 'fewer' : 'more';
    if (what === 'entities') findings.add(`entities-${size}`, place, Math.abs(found - counted));
    else if (what === 'live edges') findings.add(`edges-${size}`, place, Math.abs(found - counted));
    else findings.add('outbox-fewer', place, counted - found);
  }
}

function checkOffsets({ offsets }: Head, findings: Findings): void {
  for (const [topic, partitions] of Object.entries(offsets)) {
    for (const partition of Object.keys(partitions)) {
      if (!/^\d{1,9}$/.test(partition)) findings.add('offset-damaged', `${topic} ${partition}`);
    }
  }
}
