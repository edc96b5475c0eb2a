import type { UsageError } from '../errors/errors.ts';
import type { Relation } from '../graph/edge.ts';
import { type EntityKey, typeOf } from '../graph/entity.ts';
import type { AtMost, Surface } from '../graph/surface.ts';
import { refuseUnknown } from './entities.ts';
import { namedGraphs, type ServedGraph, wrongQuestion } from './served-graph.ts';

/** What decides how a list is made. */
export interface PlanAsked {
  readonly from: EntityKey;
  /** Type of what is shown, where no surface says it. */
  readonly to?: string | undefined;
  readonly surface?: string | undefined;
  /** One relation alone; all of the surface, or all from the entity's type to `to`, unless said. */
  readonly relation?: string | undefined;
  /** The graph asked; unless said, the first one that has a relation for it. */
  readonly graph?: string | undefined;
}

type Planned = Pick<ServedGraph, 'name' | 'relations'>;

export interface Plan<Graph> {
  readonly graph: Graph;
  readonly to: string;
  /** By which is asked: one or more, from the entity's type to `to`. */
  readonly relations: readonly string[];
  /** Whose targets are left out. */
  readonly leaveOut: readonly string[];
  readonly atMost: AtMost | undefined;
}

/** Plans a list. @throws UsageError naming what is possible. */
export function planOf<Graph extends Planned>(
  served: readonly Graph[],
  surfaces: readonly Surface[],
  { from, to, surface: name, relation, graph: graphName }: PlanAsked,
): Plan<Graph> {
  if ((to === undefined) === (name === undefined))
    throw wrongQuestion(
      'to',
      `expected either to, a type, or surface; seen ${to === undefined ? 'none of the two' : 'both'}`,
    );
  const graphs = namedGraphs(served, graphName);
  const surface = name === undefined ? undefined : surfaceOf(surfaces, name);
  const type = typeOf(from);
  if (surface !== undefined && !surface.from.includes(type))
    throw wrongQuestion(
      'from',
      `the surface ${surface.name} is for ${wordsOf(surface.from)}, seen ${JSON.stringify(from)}`,
    );
  refuseUnknown('from', graphs, from);
  const shown = surface?.to ?? to ?? '';
  for (const graph of graphs) {
    const all = namesFrom(graph.relations, type, shown);
    const relations =
      relation === undefined ? chosen(all, surface?.relations) : all.filter((each) => each === relation);
    if (relations.length === 0) continue;
    const leaveOut = surface?.leaveOut ?? (surface ? chosen(all, surface.relations) : relations);
    return { graph, to: shown, relations, leaveOut, atMost: surface?.atMost };
  }
  if (relation !== undefined) throw wrongRelation(graphs, relation, type, shown);
  throw wrongQuestion(
    surface === undefined ? 'to' : 'surface',
    `${nobodyLeads(graphs, type, shown)}${surface === undefined ? '' : `, which the surface ${surface.name} needs`}; ${possible(graphs, type)}`,
  );
}

/** The surfaces of which some can be asked of a graph with these relations. */
export function surfacesOf(surfaces: readonly Surface[], relations: readonly Relation[]): Surface[] {
  return surfaces.filter(({ from, to }) => from.some((type) => namesFrom(relations, type, to).length > 0));
}

/** A relation that is asked for by name. @throws UsageError for one that does not lead from the type, or, if said, to the other. */
export function wrongRelation(
  graphs: readonly Planned[],
  relation: string,
  from: string,
  to?: string,
): UsageError {
  const known = graphs.flatMap(({ relations }) => relations).find(({ name }) => name === relation);
  if (known === undefined) {
    const names = [...new Set(graphs.flatMap(({ relations }) => namesFrom(relations, from, to)))];
    const expected = names.length === 0 ? possible(graphs, from) : `expected one of ${names.join(', ')}`;
    return wrongQuestion('relation', `${expected}; seen ${JSON.stringify(relation)}`);
  }
  const not = known.lhs === from ? `to ${to}` : `from ${from}`;
  return wrongQuestion(
    'relation',
    `${relation} leads from ${known.lhs} to ${known.rhs}, not ${not}; ${possible(graphs, from)}`,
  );
}

/** @throws UsageError naming the surfaces that there are. */
export function surfaceOf(surfaces: readonly Surface[], name: string): Surface {
  const found = surfaces.find((surface) => surface.name === name);
  if (found !== undefined) return found;
  const names = surfaces.map((surface) => surface.name).join(', ');
  const expected =
    names === '' ? 'the configuration has no surface; ask with to=TYPE' : `expected one of ${names}`;
  throw wrongQuestion('surface', `${expected}; seen ${JSON.stringify(name)}`);
}

/** to: any type unless given. */
function namesFrom(relations: readonly Relation[], from: string, to: string | undefined): string[] {
  return relations
    .filter(({ lhs, rhs }) => lhs === from && (to === undefined || rhs === to))
    .map(({ name }) => name);
}

/** Those of all that are listed; all where none is. */
function chosen(all: readonly string[], listed: readonly string[] | undefined): readonly string[] {
  const found = all.filter((name) => listed?.includes(name));
  return found.length === 0 ? all : found;
}

function nobodyLeads(graphs: readonly Planned[], from: string, to: string): string {
  const names = graphs.map(({ name }) => name);
  const which =
    names.length === 1
      ? `the graph ${names[0]} has no relation`
      : `none of the graphs ${names.join(', ')} has a relation`;
  return `${which} from ${from} to ${to}`;
}

/** What relations lead from a type to, in words: `customer leads to product (buys, views)`. */
function possible(graphs: readonly Planned[], from: string): string {
  const byType = new Map<string, Set<string>>();
  for (const { relations } of graphs)
    for (const { name, lhs, rhs } of relations)
      if (lhs === from) byType.set(rhs, (byType.get(rhs) ?? new Set()).add(name));
  if (byType.size === 0) return `no relation leads from ${from}`;
  const parts = Array.from(byType, ([to, names]) => `${to} (${[...names].join(', ')})`);
  return `${from} leads to ${wordsOf(parts)}`;
}

function wordsOf(parts: readonly string[]): string {
  return parts.length < 2 ? parts.join() : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
}
