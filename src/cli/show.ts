import type { Command } from 'commander';
import { normalizeQuery } from '../../topics/fields.ts';
import type { GraphConfig } from '../config/resolve.ts';
import { FatalError } from '../errors/errors.ts';
import { type EntityKey, entityKey, idOf, parseEntityKey, typeOf } from '../graph/entity.ts';
import type { EntityRecord, GraphStore } from '../graph/graph-store.ts';
import { type Neighbour, nearest, norm } from '../graph/nearest.ts';
import { shardName, shardOf } from '../graph/shard.ts';
import { openForReading, refuseNoStore } from '../state/open.ts';
import type { CommandContext } from './context.ts';
import { count } from './format.ts';
import { collect, example, GRAPHS_HELP } from './options.ts';
import type { Output } from './output.ts';
import { selectGraphs } from './select.ts';

const NEAREST = 10;

interface ShownEntity {
  readonly entity: EntityKey;
  readonly graph: string;
  /** Live edges by relation. */
  readonly edges: Record<string, { out: number; in: number }>;
  readonly firstSeen: number;
  readonly lastSeen: number;
  readonly updates: number;
  readonly step: number;
  readonly norm: number;
  readonly vector: number[];
  readonly nearest: readonly Neighbour[];
}

/** Puts `twhin show` on the command line. */
export function addShowCommand(program: Command, { config, output }: CommandContext): void {
  program
    .command('show')
    .description('show an entity: its edges, its vector and the nearest entities')
    .argument('<entity>', 'TYPE:ID, such as user:123', readEntity)
    .option('--graph <name>', GRAPHS_HELP, collect, [])
    .option('--json', 'print one JSON object a graph on stdout')
    .addHelpText('after', example('twhin show user:123 --graph engagement'))
    .action(async (entity, { graph, json }) => {
      const loaded = await config();
      const graphs = selectGraphs(loaded, graph);
      refuseNoStore(graphs, loaded.state);
      await show(graphs, entity, { json: json === true }, output);
    });
}

/** The entity that a person typed. A query is normalized as events are, so it can be typed as it was searched. */
function readEntity(text: string): EntityKey {
  const key = parseEntityKey(text);
  return typeOf(key) === 'query' ? entityKey('query', normalizeQuery(idOf(key))) : key;
}

/** Shows the entity in each graph that has it. @throws FatalError when no graph has it. */
async function show(
  graphs: readonly GraphConfig[],
  entity: EntityKey,
  options: { json: boolean },
  output: Output,
): Promise<void> {
  let found = 0;
  const owners = graphs.filter(
    ({ shard }) => shard === undefined || shardOf(entity, shard.count) === shard.index,
  );
  for (const graph of owners) {
    const store = await openForReading(graph);
    try {
      const record = await knownIn(store, entity);
      if (store === undefined || record === undefined) continue;
      found++;
      output.status(`${graph.name}: comparing with every vector`);
      const shown = await describe(store, graph.name, record);
      output.statusDone();
      if (options.json) output.out(JSON.stringify(shown));
      else print(shown, output);
    } finally {
      await store?.close();
    }
  }
  if (found > 0) return;
  const [asked] = graphs;
  if (owners.length === 0 && asked?.shard !== undefined) {
    const { graph, count } = asked.shard;
    const owner = shardName({ graph, index: shardOf(entity, count) });
    throw new FatalError(
      'unknown-entity',
      `${entity} belongs to ${owner}, and not to ${graphs.map(({ name }) => name).join(', ')}; ask with --graph ${graph}`,
    );
  }
  const names = owners.map(({ name }) => name).join(', ');
  throw new FatalError(
    'unknown-entity',
    `${entity} is not in ${names}: no event has named it there, or it was erased`,
  );
}

async function knownIn(store: GraphStore | undefined, entity: EntityKey): Promise<EntityRecord | undefined> {
  return store?.layout.typeIndex(typeOf(entity)) === undefined ? undefined : store.entity(entity);
}

async function describe(store: GraphStore, graph: string, record: EntityRecord): Promise<ShownEntity> {
  const edges: Record<string, { out: number; in: number }> = {};
  for await (const edge of store.edgesOf(record.key)) {
    if (edge.removed) continue;
    edges[edge.relation] ??= { out: 0, in: 0 };
    const counts = edges[edge.relation];
    if (counts) counts[edge.direction]++;
  }
  const [row] = await store.readRows([record.row]);
  const { dim } = store.layout;
  const floats = row?.floats ?? new Float32Array(dim);
  return {
    entity: record.key,
    graph,
    edges,
    firstSeen: record.firstSeen,
    lastSeen: record.lastSeen,
    updates: record.updates,
    step: row?.step ?? 0,
    norm: norm(floats, dim),
    vector: [...floats.subarray(0, dim)],
    nearest: await nearest(store, record.row, NEAREST),
  };
}

function print(shown: ShownEntity, output: Output): void {
  output.out(`${shown.entity} in ${shown.graph}`);
  for (const [relation, { out, in: incoming }] of Object.entries(shown.edges)) {
    output.out(`  ${relation.padEnd(12)} ${count(out)} out, ${count(incoming)} in`);
  }
  output.out(`  first seen   ${new Date(shown.firstSeen).toISOString()}`);
  output.out(`  last seen    ${new Date(shown.lastSeen).toISOString()}`);
  output.out(
    `  vector       norm ${shown.norm.toFixed(4)}, step ${count(shown.step)}, ${count(shown.updates)} updates`,
  );
  output.out('  nearest');
  for (const { entity, score } of shown.nearest) output.out(`    ${score.toFixed(4)}  ${entity}`);
}
