// @ts-check

/** @typedef {import('./api.js').Status['graphs'][number]} Graph */
/**
 * A list that can be asked for an entity of a type. to: type of what it shows; relations: those that it can be narrowed to.
 * @typedef {{ name: string, title: string, ask: Record<string, string>, to: string, relations: readonly string[] }} Question
 */

/** Entities of this type are found by their text. */
const QUERY = 'query';

/** All types: first those that a relation leads from, which have lists. @param {readonly Graph[]} graphs */
export function typesOf(graphs) {
  const all = graphs.flatMap(({ relations }) => relations);
  return unique([...all.map(({ lhs }) => lhs), ...all.map(({ rhs }) => rhs)]);
}

/**
 * The surfaces for a type, and a list of each other type that it leads to.
 * @param {string} type
 * @param {readonly Graph[]} graphs
 * @returns {Question[]}
 */
export function questionsOf(type, graphs) {
  /** @type {Question[]} */
  const questions = [];
  for (const { surfaces } of graphs)
    for (const { name, from, to } of surfaces)
      if (from.includes(type) && questions.every((each) => each.name !== `list-${name}`))
        questions.push({
          ...{ name: `list-${name}`, title: titleOf(name), ask: { surface: name } },
          ...{ to, relations: relationsOf(graphs, type, to) },
        });
  for (const to of unique(graphs.flatMap(({ relations }) => leading(relations, type).map(({ rhs }) => rhs))))
    if (questions.every((each) => each.to !== to))
      questions.push({
        ...{ name: `to-${to}`, title: titleOf(to), ask: { to } },
        ...{ to, relations: relationsOf(graphs, type, to) },
      });
  return questions;
}

/** The relations that lead from a type, each with the type that it leads to. @param {string} type @param {readonly Graph[]} graphs */
export function relationsFrom(type, graphs) {
  const all = graphs.flatMap(({ relations }) => leading(relations, type));
  return [...new Map(all.map((relation) => [relation.name, relation])).values()];
}

/** Types that can be searched for: those that whoever searches is led to. @param {readonly Graph[]} graphs */
export function searchedOf(graphs) {
  const all = graphs.flatMap(({ relations }) => relations);
  const searchers = all.filter(({ rhs }) => rhs === QUERY).map(({ lhs }) => lhs);
  return unique(all.filter(({ lhs, rhs }) => searchers.includes(lhs) && rhs !== QUERY).map(({ rhs }) => rhs));
}

/** The relations of the first graph that has any, which is the graph that answers. @param {readonly Graph[]} graphs @param {string} from @param {string} to */
function relationsOf(graphs, from, to) {
  for (const { relations } of graphs) {
    const names = leading(relations, from)
      .filter(({ rhs }) => rhs === to)
      .map(({ name }) => name);
    if (names.length > 0) return names;
  }
  return [];
}

/** @param {Graph['relations']} relations @param {string} from */
function leading(relations, from) {
  return relations.filter(({ lhs }) => lhs === from);
}

/** @param {string} name */
function titleOf(name) {
  const words = name.replaceAll('-', ' ');
  return `${words[0]?.toUpperCase()}${words.slice(1)}`;
}

/** @param {readonly string[]} names */
function unique(names) {
  return [...new Set(names)];
}
