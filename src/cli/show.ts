import type { Command } from 'commander';
import { typedEntity } from '../../topics/fields.ts';
import { FatalError } from '../errors/errors.ts';
import { describeEntity, type EntityDescription } from '../graph/describe-entity.ts';
import type { EntityKey } from '../graph/entity.ts';
import { shardName, shardOf } from '../graph/shard.ts';
import type { CommandContext } from './context.ts';
import { asOf, count } from './format.ts';
import { collect, example, GRAPHS_HELP } from './options.ts';
import { type Output, tell } from './output.ts';
import { type ChosenStore, openChosen, selectStores, tellOfLag } from './select.ts';

export function addShowCommand(command: Command, context: CommandContext): void {
  command
    .description(
      'show an entity: its edges, and its vector and the nearest entities as of the last checkpoint',
    )
    .argument('<entity>', 'TYPE:ID, such as user:123', typedEntity)
    .option('--graph <name>', GRAPHS_HELP, collect, [])
    .option('--json', 'print one JSON object a graph on stdout')
    .addHelpText('after', example('twhin show user:123 --graph engagement'))
    .action(async (entity, { graph, json }) => {
      await show(selectStores(await context.config(), context.output, graph), entity, json, context);
    });
}

/** Shows the entity in each graph that has it. @throws FatalError when no graph has it. */
async function show(
  stores: readonly ChosenStore[],
  entity: EntityKey,
  json: boolean | undefined,
  { output, progress }: CommandContext,
): Promise<void> {
  let found = 0;
  const owners = stores.filter(
    ({ graph: { shard } }) => shard === undefined || shardOf(entity, shard.count) === shard.index,
  );
  for (const owner of owners) {
    const { graph } = owner;
    await using store = await openChosen(owner);
    const record = await store?.entity(entity);
    if (record === undefined) continue;
    found++;
    progress(`${graph.name}: comparing with every vector`);
    const { description, vector } = await describeEntity(store, record);
    if (json) output.out(JSON.stringify({ graph: graph.name, ...description, vector: [...vector] }));
    else print(graph.name, description, output);
    await tellOfLag(store, output);
  }
  if (found > 0) return;
  const namesOf = (those: typeof stores) => those.map(({ graph }) => graph.name).join(', ');
  const shard = stores[0]?.graph.shard;
  if (owners.length === 0 && shard !== undefined) {
    const { graph, count } = shard;
    const owner = shardName({ graph, index: shardOf(entity, count) });
    throw new FatalError(
      'unknown-entity',
      `${entity} belongs to ${owner}, and not to ${namesOf(stores)}; ask with --graph ${graph}`,
    );
  }
  throw new FatalError(
    'unknown-entity',
    `${entity} is not in ${namesOf(owners)}: no event has named it there, or it was erased`,
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
    ['updates', count(shown.updates)],
    ['vector', `norm ${shown.norm.toFixed(4)}, as of ${asOf(shown)}`],
    ...Object.entries(shown.nearest).flatMap(([type, neighbours]) => [
      `nearest ${type}`,
      ...neighbours.map(({ entity, score }) => `  ${score.toFixed(4)}  ${entity}`),
    ]),
  ]);
}
