import type { Command } from 'commander';
import type { GraphConfig } from '../config/resolve.ts';
import { type Digest, digest } from '../graph/digest.ts';
import { fingerprint, type Head } from '../graph/head.ts';
import { graphOf } from '../graph/shard.ts';
import { openForReading, refuseNoStore } from '../state/open.ts';
import { livePlace } from '../state/places.ts';
import type { CommandContext } from './context.ts';
import { count, total } from './format.ts';
import { collect, example, GRAPHS_HELP, JSON_HELP } from './options.ts';
import type { Output } from './output.ts';
import { selectGraphs } from './select.ts';
import { printTable } from './table.ts';

const HEADINGS = [
  'shard',
  'entities',
  'live edges',
  'consumed',
  'rejected',
  'duplicate',
  'late',
  'step',
  'outbox',
];

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
  if (options.json) {
    const whole = wholeOf(graphs, all);
    output.out(JSON.stringify({ graphs: all, ...(Object.keys(whole).length > 0 && { whole }) }));
  } else
    for (const [graph, shards] of byGraph(graphs)) {
      const [one, another] = shards;
      if (another !== undefined) printShards(graph, shards, all, output);
      else if (one !== undefined) print(one, all[one.name], output);
    }
}

/** The graphs and shards by the name of the whole graph. */
function byGraph(graphs: readonly GraphConfig[]): ReadonlyMap<string, readonly GraphConfig[]> {
  const found = new Map<string, GraphConfig[]>();
  for (const graph of graphs) {
    const name = graphOf(graph);
    found.set(name, [...(found.get(name) ?? []), graph]);
  }
  return found;
}

/** Each graph of which all shards are here, as a whole: every entity and edge once. */
function wholeOf(
  graphs: readonly GraphConfig[],
  all: Readonly<Record<string, GraphStats>>,
): Record<string, Counted> {
  const whole: Record<string, Counted> = {};
  for (const [graph, shards] of byGraph(graphs)) {
    if (shards.length === shards[0]?.shard?.count) whole[graph] = summed(shards, all);
  }
  return whole;
}

function summed(shards: readonly GraphConfig[], all: Readonly<Record<string, GraphStats>>): Counted {
  const sums: Counted = { entities: {}, edges: {} };
  for (const { name } of shards) {
    for (const kind of ['entities', 'edges'] as const) {
      for (const [key, n] of Object.entries(all[name]?.own?.[kind] ?? {}))
        sums[kind][key] = (sums[kind][key] ?? 0) + n;
    }
  }
  return sums;
}

/** A row for each shard, and one for all: an edge between two shards is in the stores of both, and counts once there. */
function printShards(
  name: string,
  shards: readonly GraphConfig[],
  all: Readonly<Record<string, GraphStats>>,
  output: Output,
): void {
  const rows = shards.map((shard) => {
    const found = all[shard.name];
    if (found === undefined || found.store === null) return [shard.name, 'no store here'];
    const { entities, edges, events, step, outbox, digest } = found;
    const { consumed, rejected, duplicate, late } = events;
    const counts = [total(entities), total(edges), consumed, rejected, duplicate, late, step, outbox].map(
      count,
    );
    return [shard.name, ...counts, ...(digest ? [digest.edges, digest.vectors] : [])];
  });
  const digests = rows.some(({ length }) => length > HEADINGS.length)
    ? ['digest of edges', 'digest of vectors']
    : [];
  output.out(`${name}  (${shards.length} of ${shards[0]?.shard?.count} shards)`);
  const complete = shards.length === shards[0]?.shard?.count;
  const whole = summed(shards, all);
  const sum = ['all, each once', count(total(whole.entities)), count(total(whole.edges))];
  printTable([[...HEADINGS, ...digests], ...rows, ...(complete ? [sum] : [])], output);
  output.out(`  twhin stats --graph ${shards[0]?.name} says more of one shard`);
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
      ? await digest(store, (done) => progress(`${graph.name}: ${count(done)} records digested`))
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
    ...(digested && { digest: digested }),
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

function print(graph: GraphConfig, found: GraphStats | undefined, output: Output): void {
  if (found === undefined) return;
  const list = (counts: Record<string, number>) =>
    Object.entries(counts)
      .map(([name, n]) => `${count(n)} ${name}`)
      .join(', ');
  const { name, folder } = livePlace(graph);
  output.out(`${graph.name}  (${name} in ${folder})`);
  if (found.store === null) {
    output.out('  no store yet; twhin run makes it');
    return;
  }
  output.out(`  entities     ${count(total(found.entities))}: ${list(found.entities)}`);
  output.out(`  live edges   ${count(total(found.edges))}: ${list(found.edges)}`);
  output.out(`  events       ${list(found.events)}`);
  output.out(`  step         ${count(found.step)}`);
  output.out(`  outbox       ${count(found.outbox)} vectors not yet acknowledged`);
  for (const [topic, partitions] of Object.entries(found.offsets)) {
    const offsets = Object.entries(partitions).map(([partition, offset]) => `${partition}: ${count(offset)}`);
    output.out(`  read up to   ${topic} ${offsets.join(', ')}`);
  }
  output.out(`  fingerprint  ${found.fingerprint}`);
  if (found.digest) output.out(`  digest       edges ${found.digest.edges}, vectors ${found.digest.vectors}`);
}
