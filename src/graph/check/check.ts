import { type Counted, type Difference, differencesFrom, Tally, unequal } from '../census.ts';
import { typeOf } from '../entity.ts';
import type { GraphStore } from '../graph-store.ts';
import type { Head } from '../head.ts';
import { asBuffer } from '../layout.ts';
import { shardOf } from '../shard.ts';
import { checkEdges } from './edges.ts';
import { attempt, type Finding, Findings } from './findings.ts';
import { checkRows } from './rows.ts';

/** What a store holds, counted, and everything that is wrong with it. */
export interface CheckReport extends Counted {
  readonly head: Head | undefined;
  readonly removed: number;
  readonly findings: readonly Finding[];
}

/**
 * Reads the whole store and reports every finding. Memory: some 100 bytes an entity, a block of rows and one batch of edges.
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
  const head = await findings.readable('head-damaged', () => store.head());
  const index = await store.loadIndex(head, (what) => findings.add('entities-damaged', what));
  const own = new Tally();
  for (let row = 0; row < index.nextRow; row++) {
    const key = index.keyAt(row);
    if (key === undefined) continue;
    progress(1);
    if (head?.shard && shardOf(key, head.shard.count) === head.shard.index) own.add(typeOf(key));
  }
  if (head)
    await findings.readable('checkpoint-damaged', () => checkRows(store, head, index, findings, progress));
  const entities = index.counts();
  const edges = await checkEdges(store, index.names, findings, progress, head?.shard);
  await checkJournal(store, head, findings);
  await checkErasures(store, findings);
  await checkUnknown(store, findings);
  const report = { head, entities, edges: edges.live, removed: edges.removed };
  if (head) {
    addDifferences(findings, differencesFrom(head, report));
    if (head.shard) {
      const whose = "the shard's own ";
      addDifferences(findings, unequal('entities', head.shard.entities, own.counts), whose);
      addDifferences(findings, unequal('live edges', head.shard.edges, edges.own), whose);
    }
  } else if (done > 0 && findings.count('head-damaged') === 0) {
    findings.add('head-missing', `${done} entries`);
  }
  return { ...report, findings: findings.list() };
}

/** Checks that the journal has every commit after the checkpoint, and no other. What the entries hold, the trainer alone can tell. */
async function checkJournal(
  { layout, entries }: GraphStore,
  head: Head | undefined,
  findings: Findings,
): Promise<void> {
  let next = (head?.checkpoint ?? 0) + 1;
  const missing = (until: number) => {
    if (until > next)
      findings.add('journal-differs', `commits ${next} to ${until - 1} are missing`, until - next);
  };
  for await (const { key } of entries.scan(layout.prefixes.journal)) {
    const commit = attempt(() => layout.numberOf(key));
    if (commit === undefined) findings.add('entry-damaged', `journal ${asBuffer(key).toString('hex')}`);
    else if (head && (commit < next || commit > head.commit))
      findings.add(
        'journal-differs',
        `commit ${commit}, the head is of ${head.commit}, its checkpoint of ${head.checkpoint}`,
      );
    else {
      missing(commit);
      next = commit + 1;
    }
  }
  if (head) missing(head.commit + 1);
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
  const { names, states, edges, reverse, journal, erased } = layout.prefixes;
  const known = new Set([names, states, edges, reverse, journal, erased].map((prefix) => prefix[0]));
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
    const place = `${whose}${name}: ${found}, counted ${counted}`;
    const size = found < counted ? 'fewer' : 'more';
    findings.add(`${what === 'entities' ? 'entities' : 'edges'}-${size}`, place, Math.abs(found - counted));
  }
}
