import { withLock } from '../../adapters/file-lock.ts';
import type { GraphConfig } from '../../config/resolve.ts';
import { FatalError } from '../../errors/errors.ts';
import type { CheckReport } from '../../graph/check/check.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import { fingerprint, type Head } from '../../graph/head.ts';
import { Layout } from '../../graph/layout.ts';
import { openForReading } from '../../state/open.ts';
import type { Origin, StorePlace } from '../../state/places.ts';
import { StagedStore } from '../../state/staged-store.ts';
import { verifyStore } from '../../state/verify.ts';
import type { CommandContext } from '../context.ts';
import { count, total } from '../format.ts';
import type { Output } from '../output.ts';

/** A store to be restored from a backup or a topic. */
export interface Restoring {
  readonly graph: GraphConfig;
  /** Where the store goes; the place is free. */
  readonly target: StorePlace;
  readonly origin: Omit<Origin, 'since'>;
  /** Writes the whole content, and gives the head that the store should then have. */
  fill(store: GraphStore): Promise<Head>;
}

/** A store that was restored and checked. */
export interface Restored {
  readonly head: Head;
  readonly report: CheckReport;
}

/**
 * Fills a staged store, reads all of it back from the disk, and puts it in place only if nothing is wrong.
 * After an interruption the next restore begins anew.
 */
export async function restoreStore(
  restoring: Restoring,
  { output, progress }: CommandContext,
): Promise<Restored> {
  const { graph, target, origin } = restoring;
  const staged = new StagedStore(graph, target);
  return withLock(await staged.lockFile(), async () => {
    try {
      let wanted: Head | undefined;
      await staged.make(new Layout(graph.model), async (store) => {
        wanted = await restoring.fill(store);
      });
      const restored = await verify(graph, staged.place, wanted, progress);
      await staged.settle({ ...origin, since: new Date().toISOString() });
      return restored;
    } catch (error) {
      await staged.remove();
      throw error;
    } finally {
      output.statusDone();
    }
  });
}

async function verify(
  graph: GraphConfig,
  place: StorePlace,
  wanted: Head | undefined,
  progress: CommandContext['progress'],
): Promise<Restored> {
  await using store = await openForReading(graph, place);
  const wrong = (what: string) =>
    new FatalError(
      'restore-check',
      `the restored store of ${graph.name} is not whole: ${what}. The store was not put in place; use another backup, or twhin replay`,
    );
  const report = await verifyStore(store, wanted, wrong, (entries) =>
    progress(`${graph.name}: ${count(entries)} entries checked`),
  );
  return { head: report.head, report };
}

/** The result for `--json`. */
export function summary({ target, origin }: Restoring, { head, report }: Restored) {
  return {
    store: target.name,
    folder: target.folder,
    from: origin.from,
    fingerprint: fingerprint(head.model),
    step: head.step,
    entities: report.entities,
    edges: report.edges,
    outbox: report.outbox,
    offsets: head.offsets,
  };
}

/** Prints the result for a person. */
export function print(
  { graph, target, origin }: Restoring,
  { head, report }: Restored,
  live: boolean,
  output: Output,
): void {
  output.out(`${graph.name}  (${target.name} in ${target.folder}, from a ${origin.from})`);
  output.out(
    `  ${count(total(report.entities))} entities, ${count(total(report.edges))} live edges, step ${count(head.step)}; all is well`,
  );
  const next = live
    ? `twhin run --graph ${graph.name} goes on from there`
    : `twhin promote ${target.name} --graph ${graph.name} puts it in the live one's place`;
  output.out(`  ${next}`);
}
