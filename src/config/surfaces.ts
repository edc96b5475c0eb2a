import type { Relation } from '../graph/edge.ts';
import { SURFACES, type Surface } from '../graph/surface.ts';
import type { ConfigFile } from './schema.ts';

type Related = readonly Relation[];

/** The built-in surfaces that a graph has a relation for, and the file's, which replace them by name. problems: a line for each wrong value. */
export function surfacesOf(
  file: ConfigFile['surfaces'],
  graphs: readonly Related[],
  problems: string[],
): Surface[] {
  const relations = uniqueByName(graphs.flat());
  const own = Object.entries(file).map(([name, { from, ...surface }]) => ({
    ...{ name, from: typeof from === 'string' ? [from] : from },
    ...surface,
  }));
  for (const surface of own) checkSurface(surface, { graphs, relations }, problems);
  const builtIn = SURFACES.filter(
    ({ name, from, to }) => !Object.hasOwn(file, name) && leading(relations, from, to).length > 0,
  );
  return [...builtIn, ...own];
}

function checkSurface(
  { name, from, to, relations: listed, leaveOut, atMost }: Surface,
  { graphs, relations }: { graphs: readonly Related[]; relations: Related },
  problems: string[],
): void {
  const key = `surfaces.${name}`;
  const types = [...new Set(relations.flatMap(({ lhs, rhs }) => [lhs, rhs]))];
  const unknown = [...from.map((type) => ['from', type]), ['to', to]].filter(
    ([, type = '']) => !types.includes(type),
  );
  for (const [field, type] of unknown)
    problems.push(`${key}.${field}: expected a type of a graph, ${types.join(', ')}, seen "${type}"`);
  if (unknown.length > 0) return;
  for (const type of from.filter((each) => leading(relations, [each], to).length === 0))
    problems.push(`${key}.from: no relation leads from ${type} to ${to}; ${possible(relations, to)}`);
  const fitting = leading(relations, from, to);
  for (const [field, names] of [
    ['relations', listed],
    ['leaveOut', leaveOut],
  ] as const)
    for (const each of names ?? [])
      if (!fitting.includes(each))
        problems.push(
          `${key}.${field}: expected relations from ${from.join(' or ')} to ${to}, ${fitting.join(', ')}; seen ${described(relations, each)}`,
        );
  if (atMost === undefined) return;
  const ofSame = graphs.filter((graph) => leading(graph, from, to).length > 0).flat();
  const grouping = uniqueByName(ofSame).filter(({ rhs }) => rhs === to);
  if (grouping.some((relation) => relation.name === atMost.by)) return;
  problems.push(
    `${key}.atMost.by: expected a relation to ${to} in the same graph, ${grouping.map((each) => each.name).join(', ')}; seen ${described(relations, atMost.by)}`,
  );
}

/** Names of the relations from one of the types to another. */
function leading(relations: Related, from: readonly string[], to: string): string[] {
  return relations.filter(({ lhs, rhs }) => from.includes(lhs) && rhs === to).map(({ name }) => name);
}

function possible(relations: Related, to: string): string {
  const types = new Set(relations.filter(({ rhs }) => rhs === to).map(({ lhs }) => lhs));
  return types.size === 0
    ? `no relation leads to ${to}`
    : `relations lead there from ${[...types].join(', ')}`;
}

function described(relations: Related, name: string): string {
  const known = relations.find((relation) => relation.name === name);
  return known === undefined ? `"${name}"` : `"${name}", which leads from ${known.lhs} to ${known.rhs}`;
}

function uniqueByName(relations: Related): Relation[] {
  return [...new Map(relations.map((relation) => [relation.name, relation])).values()];
}
