import type { Command } from 'commander';
import type { GraphConfig } from '../config/resolve.ts';
import { type Digest, digest } from '../graph/digest.ts';
import { fingerprint, type Head } from '../graph/head.ts';
import { graphOf } from '../graph/shard.ts';
import { openForReading, refuseNoStore } from '../state/open.ts';
import { livePlace } from '../state/places.ts';
import type { CommandContext } from './context.ts';
import { count, listed, named } from './format.ts';
import { collect, example, GRAPHS_HELP, JSON_HELP } from './options.ts';
import { NO_STORE_YET, storeTitle, tell } from './output.ts';
import { selectGraphs } from './select.ts';

interface GraphStats {
  /** Name of the live store, which the figures are of; null: there is no store yet. */
  readonly store: string | null;
  readonly entities: Record<string, number>;
  /** Live edges. */
  readonly edges: Record<string, number>;
  readonly events: Head['events'];
  readonly step: number;
  readonly outbox: number;
  readonly offsets: Head['offsets'];
  readonly fingerprint: string;
  readonly digest?: Digest;
  /** Of a shard: the entities that it owns, and the live edges that begin at one of them. Each is counted by one shard. */
  readonly own?: Counted;
}

/** By type, and by relation. */
interface Counted {
  readonly entities: Record<string, number>;
  readonly edges: Record<string, number>;
}

/** Puts `twhin stats` on the command line. */
export function addStatsCommand(program: Command, context: CommandContext): void {
  program
    .command('stats')
    .description('show what the stores hold as of their last commits')
    .option('--graph <name>', GRAPHS_HELP, collect, [])
    .option('--json', JSON_HELP)
    .option('--digest', 'add digests of edges and vectors, which reads all of them')
    .addHelpText('after', example('twhin stats --graph engagement --json --digest'))
    .action(async ({ graph, json, digest }) => {
      const loaded = await context.config();
      const options = { json: json === true, digest: digest === true, state: loaded.state };
      await stats(selectGraphs(loaded, graph), options, context);
    });
}

/**
 * Shows what the stores hold as of their last commits, also beside a running updater.
 * @throws FatalError `store-missing` where no graph has a store.
 */
async function stats(
  graphs: readonly GraphConfig[],
  options: { json: boolean; digest: boolean; state: string },
  { output, progress }: Pick<CommandContext, 'output' | 'progress'>,
): Promise<void> {
  refuseNoStore(graphs, options.state);
  const all: Record<string, GraphStats> = {};
  for (const graph of graphs) all[graph.name] = await statsOf(graph, options.digest, progress);
  output.statusDone();
  const whole = wholeOf(graphs, all);
  if (options.json) {
    output.out(JSON.stringify({ graphs: all, ...(Object.keys(whole).length > 0 && { whole }) }));
    return;
  }
  for (const graph of graphs) tell(output, storeTitle(livePlace(graph)), linesOf(all[graph.name]!));
  for (const [graph, { entities, edges }] of Object.entries(whole))
    tell(output, `${graph}  (all shards, each entity and edge once)`, countsOf(entities, edges));
}

/** Each graph of which all shards are here, as a whole: an edge between two shards is in the stores of both. */
function wholeOf(
  graphs: readonly GraphConfig[],
  all: Readonly<Record<string, GraphStats>>,
): Record<string, Counted> {
  const whole: Record<string, Counted> = {};
  for (const [graph, shards] of Map.groupBy(graphs, graphOf)) {
    if (shards.length !== shards[0]?.shard?.count) continue;
    const sums: Counted = { entities: {}, edges: {} };
    for (const kind of ['entities', 'edges'] as const)
      for (const { name } of shards)
        for (const [key, n] of Object.entries(all[name]?.own?.[kind] ?? {}))
          sums[kind][key] = (sums[kind][key] ?? 0) + n;
    whole[graph] = sums;
  }
  return whole;
}

async function statsOf(
  graph: GraphConfig,
  withDigest: boolean,
  progress: CommandContext['progress'],
): Promise<GraphStats> {
  const place = livePlace(graph);
  await using store = await openForReading(graph, place);
  const head = await store?.head();
  const digested =
    withDigest && store
      ? await digest([store], (done) => progress(`${graph.name}: ${count(done)} records digested`))
      : undefined;
  const none = { consumed: 0, rejected: 0, duplicate: 0, late: 0 };
  return {
    store: store ? place.name : null,
    entities: zeroed(head?.model.entityTypes ?? graph.model.entityTypes, head?.entities),
    edges: zeroed(
      (head?.model ?? graph.model).relations.map(({ name }) => name),
      head?.edges,
    ),
    events: head?.events ?? none,
    step: head?.step ?? 0,
    outbox: head?.outbox ?? 0,
    offsets: head?.offsets ?? {},
    fingerprint: fingerprint(head?.model ?? graph.model),
    ...(digested && { digest: digested.digest }),
    ...(graph.shard && {
      // A store that was restored and never run has its own entities alone.
      own: { entities: { ...(head?.shard ?? head)?.entities }, edges: { ...(head?.shard ?? head)?.edges } },
    }),
  };
}

function zeroed(
  names: readonly string[],
  counts: Record<string, number> | undefined,
): Record<string, number> {
  return Object.fromEntries(names.map((name) => [name, counts?.[name] ?? 0]));
}

type Line = readonly [label: string, text: string];

function countsOf(entities: Record<string, number>, edges: Record<string, number>): Line[] {
  return [
    ['entities', listed(entities)],
    ['live edges', listed(edges)],
  ];
}

function linesOf(found: GraphStats): (string | Line)[] {
  if (found.store === null) return [NO_STORE_YET];
  const { digest: digested } = found;
  return [
    ...countsOf(found.entities, found.edges),
    ['events', named(found.events)],
    ['step', count(found.step)],
    ['outbox', `${count(found.outbox)} vectors not yet acknowledged`],
    ...Object.entries(found.offsets).map(([topic, partitions]): Line => {
      const offsets = Object.entries(partitions).map(
        ([partition, offset]) => `${partition}: ${count(offset)}`,
      );
      return ['read up to', `${topic} ${offsets.join(', ')}`];
    }),
    ['fingerprint', found.fingerprint],
    ...(digested ? [['digest', `edges ${digested.edges}, vectors ${digested.vectors}`] as const] : []),
  ];
}
