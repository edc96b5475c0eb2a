import type { Command } from 'commander';
import { digest } from '../graph/digest.ts';
import { fingerprint, offsetsOf } from '../graph/head.ts';
import { graphOf } from '../graph/shard.ts';
import type { CommandContext } from './context.ts';
import { asOf, count, listed, named } from './format.ts';
import { collect, example, GRAPHS_HELP, JSON_HELP } from './options.ts';
import { storeTitle, tell } from './output.ts';
import { type ChosenStore, openChosen, selectStores } from './select.ts';

type GraphStats = Awaited<ReturnType<typeof statsOf>>;

/** By type, and by relation. */
type Counted = Pick<GraphStats, 'entities' | 'edges'>;

const NOTHING = {
  ...{ entities: {}, edges: {}, step: 0, outbox: 0, positions: {} },
  events: { consumed: 0, rejected: 0, duplicate: 0, late: 0 },
};

export function addStatsCommand(command: Command, context: CommandContext): void {
  command
    .description('show what the stores hold as of their last commits')
    .option('--graph <name>', GRAPHS_HELP, collect, [])
    .option('--json', JSON_HELP)
    .option(
      '--digest',
      'add digests of the edges, and of the vectors as of the last checkpoint; reads all of them',
    )
    .addHelpText('after', example('twhin stats --graph engagement --json --digest'))
    .action(async ({ graph, json, digest }) => {
      await stats(selectStores(await context.config(), context.output, graph), { json, digest }, context);
    });
}

/** Shows what the stores hold as of their last commits, also beside a running updater. */
async function stats(
  stores: readonly ChosenStore[],
  { json, digest: digested }: { json?: boolean; digest?: boolean },
  { output, progress }: CommandContext,
): Promise<void> {
  const all: Record<string, GraphStats> = {};
  for (const each of stores) all[each.graph.name] = await statsOf(each, digested, progress);
  const whole = wholeOf(stores, all);
  if (json) {
    output.out(JSON.stringify({ graphs: all, ...(Object.keys(whole).length > 0 && { whole }) }));
    return;
  }
  for (const { graph, place } of stores) tell(output, storeTitle(place), linesOf(all[graph.name]!));
  for (const [graph, { entities, edges }] of Object.entries(whole))
    tell(output, `${graph}  (all shards, each entity and edge once)`, countsOf(entities, edges));
}

/** Each graph of which all shards are here, as a whole: an edge between two shards is in the stores of both. */
function wholeOf(
  stores: readonly ChosenStore[],
  all: Readonly<Record<string, GraphStats>>,
): Record<string, Counted> {
  const whole: Record<string, Counted> = {};
  const graphs = stores.map((each) => each.graph);
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
  chosen: ChosenStore,
  digested: boolean | undefined,
  progress: CommandContext['progress'],
) {
  const { graph, place } = chosen;
  await using store = await openChosen(chosen);
  const head = await store.head();
  const { model, entities, edges, events, step, outbox, positions } = head ?? {
    ...NOTHING,
    model: graph.model,
  };
  const relations = model.relations.map(({ name }) => name);
  const onProgress = (done: number) => progress(`${graph.name}: ${count(done)} records digested`);
  const digests = digested ? await digest([store], onProgress) : undefined;
  return {
    store: place.name,
    entities: { ...zeros(model.entityTypes), ...entities },
    edges: { ...zeros(relations), ...edges },
    ...{ events, step, outbox, offsets: offsetsOf(positions) },
    fingerprint: fingerprint(model),
    // step, at: those of the checkpoint, which the vectors are as of.
    ...(digests && {
      digest: { ...digests.digest, step: digests.step, at: (await store.checkpoint())?.head.at },
    }),
    // A shard counts the entities that it owns, and the live edges that begin at one of them: so each is counted by one shard.
    ...(graph.shard && {
      // A store that was restored and never run has its own entities alone.
      own: { entities: { ...(head?.shard ?? head)?.entities }, edges: { ...(head?.shard ?? head)?.edges } },
    }),
  };
}

function zeros(names: readonly string[]): Record<string, number> {
  return Object.fromEntries(names.map((name) => [name, 0]));
}

type Line = readonly [label: string, text: string];

function countsOf(entities: Record<string, number>, edges: Record<string, number>): Line[] {
  return [
    ['entities', listed(entities)],
    ['live edges', listed(edges)],
  ];
}

function linesOf(found: GraphStats): (string | Line)[] {
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
    ...(digested
      ? [['digest', `edges ${digested.edges}, vectors ${digested.vectors} as of ${asOf(digested)}`] as const]
      : []),
  ];
}
