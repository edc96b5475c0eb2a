import { FatalError } from '../../errors/errors.ts';
import { digest } from '../../graph/digest.ts';
import { openForReading } from '../../state/open.ts';
import type { StorePlace } from '../../state/places.ts';
import { count, duration, total } from '../format.ts';
import type { Output } from '../output.ts';
import type { ReplayRecord } from './record.ts';
import type { ReplayRequest } from './request.ts';

/** Figures that only the process that trained has. */
export interface Trained {
  readonly seconds: number;
  /** Records that could not be used, by reason. */
  readonly rejected: ReadonlyMap<string, number>;
}

/** Reads the finished store and prints what it holds. trained: absent if another process trained the store. */
export async function sayResult(
  { graph, options, set }: ReplayRequest,
  place: StorePlace,
  record: ReplayRecord,
  output: Output,
  trained?: Trained,
): Promise<void> {
  const store = await openForReading(graph, place);
  const head = await store?.head();
  if (store === undefined || head === undefined) {
    await store?.close();
    throw new FatalError('replay-store', `${place.folder} holds no store; replay again with --restart`);
  }
  try {
    const digested = await digest(store, (done) =>
      output.status(`${place.name}: ${count(done)} records digested`),
    );
    output.statusDone();
    if (options.json === true) {
      const said = {
        graph: graph.name,
        into: place.name,
        set,
        from: record.from,
        until: record.until,
        range: record.range,
        publish: record.publish,
        events: head.events.consumed,
        rejected: head.events.rejected,
        duplicate: head.events.duplicate,
        late: head.events.late,
        entities: head.entities,
        edges: head.edges,
        step: head.step,
        digest: digested,
        ...(trained && { seconds: trained.seconds, reasons: Object.fromEntries(trained.rejected) }),
      };
      output.out(JSON.stringify(said));
      return;
    }
    output.out(`${graph.name} replayed into ${place.name}  (${place.folder})`);
    if (trained) {
      const { consumed } = head.events;
      const pace = `${count(consumed / trained.seconds)}/s`;
      output.out(`  time         ${duration(trained.seconds * 1000)}: ${pace}`);
    }
    output.out(
      `  events       ${count(head.events.consumed)}, ${count(head.events.rejected)} of them unusable`,
    );
    for (const [reason, times] of trained?.rejected ?? [])
      output.out(`               ${count(times)} ${reason}`);
    output.out(`  entities     ${count(total(head.entities))}`);
    output.out(`  live edges   ${count(total(head.edges))}`);
    output.out(`  step         ${count(head.step)}`);
    output.out(`  digest       edges ${digested.edges}, vectors ${digested.vectors}`);
  } finally {
    await store.close();
  }
}
