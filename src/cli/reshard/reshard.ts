import { freshSpace } from '../../compose/graph-updater.ts';
import { FatalError } from '../../errors/errors.ts';
import { checkStore } from '../../graph/check/check.ts';
import { FINDINGS } from '../../graph/check/findings.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import { encodeHead, type Head } from '../../graph/head.ts';
import { Layout } from '../../graph/layout.ts';
import { type Filled, fillStores } from '../../graph/reshard/fill-stores.ts';
import { digestGraph, type GraphDigest } from '../../graph/reshard/graph-digest.ts';
import { MergedGraph } from '../../graph/reshard/merged-graph.ts';
import { openForReading } from '../../state/open.ts';
import type { StorePlace } from '../../state/places.ts';
import { StagedStore } from '../../state/staged-store.ts';
import type { CommandContext } from '../context.ts';
import { count } from '../format.ts';
import type { ReshardPlan } from './plan.ts';
import type { PresentStores } from './present-stores.ts';

/** What was made, once it is in place. */
export interface Resharded extends Filled {
  readonly before: GraphDigest;
  readonly after: GraphDigest;
  readonly oldPlaces: readonly StorePlace[];
}

/**
 * Fills the new stores in staging folders, reads all of them back from the disk, compares them with the present ones, and only then
 * moves them to their places. A kill before that leaves staging folders alone, with which no run starts (`readLive`).
 */
export async function reshard(
  plan: ReshardPlan,
  { places, stores, heads }: PresentStores,
  { output, progress }: CommandContext,
): Promise<Resharded> {
  const { graph, next, targets, set } = plan;
  const layout = new Layout(heads[0]!.model);
  const merged = await MergedGraph.read(stores, layout);
  const tell = (what: string) => (done: number) => progress(`${graph}: ${count(done)} ${what}`);
  const staged = next.map((each, i) => new StagedStore(each, targets[i]!));
  let settled = false;
  try {
    const before = await digestGraph(merged, heads, tell('entries of the present stores digested'));
    const filled = await fill(plan, heads, merged, staged, progress);
    const after = await verified(plan, staged, before, filled, progress);
    const since = new Date().toISOString();
    settled = true;
    for (const each of staged) each.keep();
    for (const each of staged) await each.settle({ from: 'reshard', set: [...set], since });
    return { ...filled, before, after, oldPlaces: places };
  } catch (error) {
    // Once one store is in its place, a staging folder that is left keeps the others from beginning anew.
    if (!settled) for (const each of staged) await each.remove();
    throw error;
  } finally {
    output.statusDone();
  }
}

/** Fills the new stores, and closes them. */
async function fill(
  { graph, next, internalTopics }: ReshardPlan,
  heads: readonly Head[],
  merged: MergedGraph,
  staged: readonly StagedStore[],
  progress: CommandContext['progress'],
): Promise<Filled> {
  await using filling = new AsyncDisposableStack();
  const stores: GraphStore[] = [];
  const layout = new Layout(heads[0]!.model);
  for (const each of staged) stores.push(filling.use(await each.open(layout)));
  return await fillStores(
    merged,
    heads,
    stores,
    { graph, count: next.length, internalTopics, runs: next.map(() => freshSpace()) },
    (what, done) => progress(`${graph}: ${count(done)} ${what} written`),
  );
}

/** Reads the new stores back from the disk. @throws FatalError `reshard` where they do not hold what the present ones do. */
async function verified(
  { graph, next }: ReshardPlan,
  staged: readonly StagedStore[],
  before: GraphDigest,
  { heads, added }: Filled,
  progress: CommandContext['progress'],
): Promise<GraphDigest> {
  await using opened = new AsyncDisposableStack();
  const stores: GraphStore[] = [];
  for (const [i, { place }] of staged.entries()) {
    const store = await openForReading(next[i]!, place);
    if (store === undefined) throw wrong(`there is no store in ${place.folder}`);
    stores.push(opened.use(store));
    await checkOne(store, heads[i]!, (done) => progress(`${next[i]!.name}: ${count(done)} entries checked`));
  }
  await compareRelations(stores);
  const merged = await MergedGraph.read(stores, stores[0]!.layout);
  const after = await digestGraph(merged, heads, (done) =>
    progress(`${graph}: ${count(done)} entries of the new stores digested`),
  );
  compare(before, after, added);
  return after;
}

async function checkOne(store: GraphStore, wanted: Head, onProgress: (done: number) => void): Promise<void> {
  const { head, findings } = await checkStore(store, onProgress);
  const [first] = findings;
  if (first !== undefined)
    throw wrong(
      `${wanted.graph}: ${FINDINGS[first.kind]}, ${count(first.count)} times, such as ${first.samples[0]}`,
    );
  if (head === undefined || !encodeHead(head).equals(encodeHead(wanted)))
    throw wrong(`${wanted.graph} has another head than was written`);
}

async function compareRelations(stores: readonly GraphStore[]): Promise<void> {
  const keys = stores[0]!.layout.relations.flatMap((_, relation) =>
    [2 * relation, 2 * relation + 1].map((row) => stores[0]!.layout.vectorKey(row)),
  );
  const all = await Promise.all(stores.map(({ entries }) => entries.getMany(keys)));
  const bytes = all.map((values) => Buffer.concat(values.map((value) => value ?? Buffer.alloc(0))));
  if (bytes.some((each) => !each.equals(bytes[0]!)))
    throw wrong('the relation vectors are not the same in all new stores');
}

function compare(before: GraphDigest, after: GraphDigest, added: Filled['added']): void {
  const entities = { ...before.entities };
  for (const [type, more] of Object.entries(added)) entities[type] = (entities[type] ?? 0) + more;
  const wanted = { ...before, entities, uneven: 0 };
  for (const [what, value] of Object.entries(after)) {
    const expected: unknown = Object.entries(wanted).find(([name]) => name === what)?.[1];
    const [seen, asked] = [shown(value), shown(expected)];
    if (seen !== asked) throw wrong(`${what} of the new stores: ${seen}, expected ${asked}`);
  }
}

/** As text, counts by name in the order of the names. */
function shown(value: unknown): string {
  return typeof value === 'object' && value !== null
    ? JSON.stringify(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : String(value);
}

function wrong(what: string): FatalError {
  return new FatalError(
    'reshard',
    `the new stores do not hold what the present ones do, and were removed: ${what}. The present stores are as they were; twhin check ` +
      'says whether they are whole',
  );
}
