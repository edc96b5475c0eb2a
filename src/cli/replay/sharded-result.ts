import type { GraphConfig } from '../../config/resolve.ts';
import { FatalError } from '../../errors/errors.ts';
import { type Digest, digest } from '../../graph/digest.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import type { Head } from '../../graph/head.ts';
import { digestGraph, type GraphDigest } from '../../graph/reshard/graph-digest.ts';
import { MergedGraph } from '../../graph/reshard/merged-graph.ts';
import { openForReading } from '../../state/open.ts';
import type { StorePlace } from '../../state/places.ts';
import { count, duration, total } from '../format.ts';
import type { Output } from '../output.ts';
import { printTable } from '../table.ts';
import type { ReplayRecord } from './record.ts';
import type { ReplayRequest } from './request.ts';
import type { Trained } from './result.ts';

/** What the finished store of one shard holds. */
interface FinishedShard {
  readonly part: GraphConfig;
  readonly place: StorePlace;
  readonly store: GraphStore;
  readonly head: Head;
}

/** Reads the finished stores of all shards and prints what they hold, each entity and edge once. trained: as for a whole graph. */
export async function saySharded(
  request: ReplayRequest,
  places: readonly StorePlace[],
  record: ReplayRecord,
  output: Output,
  trained?: Trained,
): Promise<void> {
  const { graph, parts, options } = request;
  await using opened = new AsyncDisposableStack();
  const stores: GraphStore[] = [];
  const shards: FinishedShard[] = [];
  for (const [i, part] of parts.entries()) {
    const place = places[i]!;
    const store = await openForReading(part, place);
    if (store !== undefined) stores.push(opened.use(store));
    const head = await store?.head();
    if (store === undefined || head === undefined)
      throw new FatalError('replay-store', `${place.folder} holds no store; replay again with --restart`);
    shards.push({ part, place, store, head });
  }
  const tell = (name: string) => (done: number) => output.status(`${name}: ${count(done)} entries digested`);
  const digests: Digest[] = [];
  for (const { part, store } of shards) digests.push(await digest(store, tell(part.name)));
  const merged = await MergedGraph.read(stores, stores[0]!.layout);
  const whole = await digestGraph(
    merged,
    shards.map(({ head }) => head),
    tell(graph.name),
  );
  output.statusDone();
  if (options.json === true)
    output.out(JSON.stringify(summary(request, { shards, digests, whole, record, trained })));
  else print(request, { shards, digests, whole, record, trained }, output);
}

interface Found {
  readonly shards: readonly FinishedShard[];
  /** Of each shard's store, and over all of them. */
  readonly digests: readonly Digest[];
  readonly whole: GraphDigest;
  readonly record: ReplayRecord;
  readonly trained: Trained | undefined;
}

function summary({ graph, set, options }: ReplayRequest, { shards, digests, whole, record, trained }: Found) {
  const { consumed, rejected } = shards[0]!.head.events;
  return {
    graph: graph.name,
    into: options.into,
    set,
    from: record.from,
    until: record.until,
    range: record.range,
    space: record.space,
    events: consumed,
    rejected,
    entities: whole.entities,
    edges: whole.live,
    removed: whole.removed,
    digest: { edges: whole.edges, vectors: whole.vectors },
    shards: shards.map(({ part, place, head }, i) => ({
      graph: part.name,
      folder: place.folder,
      entities: head.shard?.entities,
      edges: head.shard?.edges,
      step: head.step,
      digest: digests[i],
    })),
    ...(trained && { seconds: trained.seconds, reasons: Object.fromEntries(trained.rejected) }),
  };
}

function print(
  { graph, options }: ReplayRequest,
  { shards, digests, whole, trained }: Found,
  output: Output,
): void {
  const { consumed, rejected } = shards[0]!.head.events;
  output.out(`${graph.name} replayed into ${options.into}, ${shards.length} shards`);
  if (trained) {
    output.out(
      `  time         ${duration(trained.seconds * 1000)}: ${count(consumed / trained.seconds)}/s, all shards together`,
    );
  }
  output.out(`  events       ${count(consumed)}, ${count(rejected)} of them unusable`);
  for (const [reason, times] of trained?.rejected ?? [])
    output.out(`               ${count(times)} ${reason}`);
  output.out(`  entities     ${count(total(whole.entities))}`);
  output.out(`  live edges   ${count(total(whole.live))}`);
  output.out(`  digest       edges ${whole.edges}, vectors ${whole.vectors}`);
  printTable(
    [
      ['shard', 'entities', 'live edges', 'step', 'digest of edges', 'of vectors', 'store'],
      ...shards.map(({ part, place, head }, i) => [
        part.name,
        count(total(head.shard?.entities ?? {})),
        count(total(head.shard?.edges ?? {})),
        count(head.step),
        digests[i]!.edges,
        digests[i]!.vectors,
        place.folder,
      ]),
    ],
    output,
  );
}
