import type { Command } from 'commander';
import { typedEntity } from '../../topics/fields.ts';
import type { GraphConfig } from '../config/resolve.ts';
import { FatalError } from '../errors/errors.ts';
import { describeEntity, type EntityDescription, findEntity } from '../graph/describe-entity.ts';
import type { EntityKey } from '../graph/entity.ts';
import { shardName, shardOf } from '../graph/shard.ts';
import { openForReading, refuseNoStore } from '../state/open.ts';
import type { CommandContext } from './context.ts';
import { count } from './format.ts';
import { collect, example, GRAPHS_HELP } from './options.ts';
import { type Output, tell } from './output.ts';
import { selectGraphs } from './select.ts';

/** Puts `twhin show` on the command line. */
export function addShowCommand(program: Command, context: CommandContext): void {
  program
    .command('show')
    .description('show an entity: its edges, its vector and the nearest entities')
    .argument('<entity>', 'TYPE:ID, such as user:123', typedEntity)
    .option('--graph <name>', GRAPHS_HELP, collect, [])
    .option('--json', 'print one JSON object a graph on stdout')
    .addHelpText('after', example('twhin show user:123 --graph engagement'))
    .action(async (entity, { graph, json }) => {
      const loaded = await context.config();
      const graphs = selectGraphs(loaded, graph);
      refuseNoStore(graphs, loaded.state);
      await show(graphs, entity, { json: json === true }, context);
    });
}

/** Shows the entity in each graph that has it. @throws FatalError when no graph has it. */
async function show(
  graphs: readonly GraphConfig[],
  entity: EntityKey,
  options: { json: boolean },
  { output, progress }: CommandContext,
): Promise<void> {
  let found = 0;
  const owners = graphs.filter(
    ({ shard }) => shard === undefined || shardOf(entity, shard.count) === shard.index,
  );
  for (const graph of owners) {
    await using store = await openForReading(graph);
    const record = await findEntity(store, entity);
    if (store === undefined || record === undefined) continue;
    found++;
    progress(`${graph.name}: comparing with every vector`);
    const { description, vector } = await describeEntity(store, record);
    output.statusDone();
    if (options.json) output.out(JSON.stringify({ graph: graph.name, ...description, vector: [...vector] }));
    else print(graph.name, description, output);
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

function print(graph: string, shown: EntityDescription, output: Output): void {
  const edges = Object.entries(shown.edges).map(([relation, { out, in: incoming, some }]) => {
    const others = some.join(', ') + (out + incoming > some.length ? ', …' : '');
    return [relation, `${count(out)} out, ${count(incoming)} in: ${others}`] as const;
  });
  tell(output, `${shown.entity} in ${graph}`, [
    ...edges,
    ['first seen', new Date(shown.firstSeen).toISOString()],
    ['last seen', new Date(shown.lastSeen).toISOString()],
    ['vector', `norm ${shown.norm.toFixed(4)}, step ${count(shown.step)}, ${count(shown.updates)} updates`],
    ...Object.entries(shown.nearest).flatMap(([type, neighbours]) => [
      `nearest ${type}`,
      ...neighbours.map(({ entity, score }) => `  ${score.toFixed(4)}  ${entity}`),
    ]),
  ]);
}
