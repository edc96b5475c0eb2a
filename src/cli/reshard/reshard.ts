import { isDeepStrictEqual } from 'node:util';
import { freshSpace } from '../../compose/graph-updater.ts';
import { FatalError } from '../../errors/errors.ts';
import { digest, type GraphDigest } from '../../graph/digest.ts';
import type { EntityKey } from '../../graph/entity.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import type { Head } from '../../graph/head.ts';
import { type Filled, fillStores } from '../../graph/reshard/fill-stores.ts';
import { shardOf } from '../../graph/shard.ts';
import { decodeJournal, encodeJournal } from '../../pipeline/training/batch-codec.ts';
import { openForReading } from '../../state/open.ts';
import { StagedStore, verifyStore } from '../../state/staged-store.ts';
import type { CommandContext } from '../context.ts';
import { count } from '../format.ts';
import type { PresentStores, ReshardPlan } from './plan.ts';

export interface Resharded extends Filled {
  readonly before: GraphDigest;
  readonly after: GraphDigest;
}

/**
 * Fills the new stores in staging folders, reads all of them back from the disk, compares them with the present ones, and only then
 * moves them to their places. A kill before that leaves staging folders alone, with which no run starts (`readLive`).
 */
export async function reshard(
  plan: ReshardPlan,
  present: PresentStores,
  { progress }: CommandContext,
): Promise<Resharded> {
  const { graph, next, targets, set } = plan;
  const staged = next.map((each, i) => new StagedStore(each, targets[i]!));
  let settled = false;
  try {
    const before = await digest(present.stores, (done) =>
      progress(`${graph}: ${count(done)} entries of the present stores digested`),
    );
    const filled = await fill(plan, present, staged, progress);
    const after = await verified(plan, staged, before, filled, progress);
    const since = new Date().toISOString();
    settled = true;
    for (const each of staged) each.keep();
    for (const each of staged) await each.settle({ from: 'reshard', set: [...set], since });
    return { ...filled, before, after };
  } catch (error) {
    // Once one store is in its place, a staging folder that is left keeps the others from starting from scratch.
    if (!settled) for (const each of staged) await each.remove();
    throw error;
  }
}

/** Fills the new stores, and closes them. */
async function fill(
  { graph, next, internalTopics }: ReshardPlan,
  present: PresentStores,
  staged: readonly StagedStore[],
  progress: CommandContext['progress'],
): Promise<Filled> {
  await using filling = new AsyncDisposableStack();
  const stores: GraphStore[] = [];
  for (const each of staged) stores.push(filling.use(await each.open(present.stores[0]!.layout)));
  const filled = await fillStores(
    present.stores,
    present.heads,
    stores,
    { graphs: next, internalTopics, runs: next.map(() => freshSpace()) },
    (what, done) => progress(`${graph}: ${count(done)} ${what} written`),
  );
  // What settled stores have in their journals is still to be published.
  const journals = await Promise.all(present.stores.map((store) => Array.fromAsync(store.journal())));
  const unsent = journals.flat().flatMap(({ bytes }) => decodeJournal(bytes).due);
  const due = new Set([...filled.erased, ...unsent]);
  const heads = filled.heads.map((head, i) =>
    leaveDue(
      stores[i]!,
      head,
      [...due].filter((name) => shardOf(name, stores.length) === i),
    ),
  );
  return { ...filled, heads: await Promise.all(heads) };
}

/** Leaves entities to be published by the next start, in a journal that trains nothing: no checkpoint can say so of erased ones. */
async function leaveDue(store: GraphStore, head: Head, due: readonly EntityKey[]): Promise<Head> {
  if (due.length === 0) return head;
  const next = { ...head, commit: head.commit + 1, outbox: due.length };
  await store.commit({ head: next, journal: encodeJournal([], due) });
  return next;
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
    if (store !== undefined) stores.push(opened.use(store));
    const { name } = next[i]!;
    await verifyStore(
      store,
      heads[i],
      (what) => wrong(`${name}: ${what}`),
      (done) => progress(`${name}: ${count(done)} entries checked`),
    );
  }
  const after = await digest(stores, (done) =>
    progress(`${graph}: ${count(done)} entries of the new stores digested`),
  );
  const entities = { ...before.entities };
  for (const [type, more] of Object.entries(added)) entities[type] = (entities[type] ?? 0) + more;
  const wanted = { ...before, entities, uneven: 0 };
  if (!isDeepStrictEqual(after, wanted))
    throw wrong(`${JSON.stringify(after)}, expected ${JSON.stringify(wanted)}`);
  return after;
}

function wrong(what: string): FatalError {
  return new FatalError(
    'reshard',
    `the new stores do not hold what the present ones do, and were removed: ${what}. The present stores are as they were; twhin check ` +
      'says whether they are whole',
  );
}
