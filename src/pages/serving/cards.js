// @ts-check
import { el, fill, place } from '../shared/elements.js';
import { count } from '../shared/format.js';
import { candidates, Refusal, rank, search, similar } from './api.js';
import { List } from './list.js';

/** @typedef {import('./list.js').Grouping} Grouping */
/** @typedef {import('./list.js').Shown} Shown */
/** @typedef {import('./questions.js').Question} Question */
/** @typedef {import('./api.js').Status['actions'][number]} Action */

const LENGTH = 10;
const ALL_RELATIONS = 'all relations';

/** A list for the entity that is shown, with reasons. */
export class ListCard {
  /** The graph that answers; empty before the first answer. */
  graph = '';
  element;
  #question;
  #note = el('p', { class: 'quiet' });
  #relation;
  #list;
  /** @type {{ from: string, answer: import('./api.js').Candidates } | undefined} */
  #last = undefined;

  /**
   * @param {Question} question
   * @param {(what: string, entity: string) => void} chosen told of each button that is pressed
   * @param {() => void} changed told that the list has to be asked for again
   */
  constructor(question, chosen, changed) {
    this.#question = question;
    const { name, title, relations } = question;
    this.#list = new List(title, chosen);
    const names = [ALL_RELATIONS, ...relations];
    this.#relation = el('select', {}, ...names.map((each) => el('option', {}, each)));
    this.#relation.addEventListener('change', () => changed());
    this.element = el(
      'section',
      { id: name, 'aria-labelledby': `${name}-title` },
      el('h2', { id: `${name}-title`, tabindex: '-1' }, title),
      relations.length > 1 ? el('label', { class: 'by' }, 'By', this.#relation) : null,
      this.#note,
      this.#list.element,
    );
  }

  /** The type of what it shows. */
  get to() {
    return this.#question.to;
  }

  get entities() {
    return this.#last?.answer.items.map(({ entity }) => entity) ?? [];
  }

  /** @param {string} from */
  async ask(from) {
    const relation = this.#relation.value;
    const { ask } = this.#question;
    const question = relation === ALL_RELATIONS ? ask : { ...ask, relation };
    const answer = await candidates(question, from, LENGTH);
    this.graph = answer.graph;
    this.#last = { from, answer };
  }

  /**
   * Shows what was asked for last.
   * @param {Grouping} grouping
   * @param {readonly Action[]} actions that are possible
   * @returns {{ came: string[], left: string[] }}
   */
  show(grouping, actions) {
    if (this.#last === undefined) return { came: [], left: [] };
    const { from, answer } = this.#last;
    fill(this.#note, ...noteOf(from, answer, grouping));
    const action = actions.find(({ type }) => type === this.to)?.name;
    return this.#list.show(from, answer.items, grouping, action);
  }

  /** Says why there is no list; the last one stays. @param {unknown} reason */
  failed(reason) {
    fill(this.#note, el('span', { class: 'problem' }, wordsOf(reason)));
  }
}

/**
 * What the reader looks for: what is similar to an entity, or entities of a type for a query.
 * @typedef {{ entity: string } | { query: string, type: string }} Wanted
 */

/** What is similar to an entity, at first the one that is shown, or what a search finds. */
export class Similar {
  /** Whether the entity has no vector. */
  get isUnknown() {
    return this.#last.isUnknown === true;
  }
  #note = el('p', { class: 'quiet' });
  #list;
  /** @type {{ of: string, about: string, items: readonly Shown[], isUnknown?: boolean }} */
  #last = { of: '', about: '', items: [] };

  /** @param {(what: string, entity: string) => void} chosen */
  constructor(chosen) {
    this.#list = new List('Similar', chosen);
    place('similar').append(this.#note, this.#list.element);
  }

  get entities() {
    return this.#last.items.map(({ entity }) => entity);
  }

  /** @param {Wanted} wanted */
  async ask(wanted) {
    this.#last =
      'query' in wanted ? await foundFor(wanted.query, wanted.type) : await nearestTo(wanted.entity);
  }

  /** @param {Grouping} grouping */
  show(grouping) {
    const { of, about, items } = this.#last;
    if (of === '') return;
    const shared = sharedOf(this.entities, grouping);
    fill(this.#note, el('span', {}, shared === '' ? about : `${about} ${shared}`));
    this.#list.show(of, items, grouping);
  }

  /** @param {unknown} reason */
  failed(reason) {
    fill(this.#note, el('span', { class: 'problem' }, wordsOf(reason)));
  }
}

/** The scores of entities that the reader names. */
export class Rank {
  #note = el('p', { class: 'quiet' });
  #list;

  /** @param {(what: string, entity: string) => void} chosen */
  constructor(chosen) {
    this.#list = new List('Rank', chosen);
    place('rank').append(this.#note, this.#list.element);
  }

  /** @param {string} from @param {string} relation @param {string[]} entities @param {Grouping} grouping */
  async ask(from, relation, entities, grouping) {
    try {
      const { items, missing } = await rank(from, relation, entities);
      const without = missing.length === 0 ? '' : ` Without a vector: ${missing.join(', ')}.`;
      fill(this.#note, el('span', {}, `Scores by ${relation} for ${from}, the highest first.${without}`));
      this.#list.show(`${from} ${relation}`, items, grouping);
    } catch (error) {
      fill(this.#note, el('span', { class: 'problem' }, wordsOf(error)));
    }
  }
}

/** @param {string} of */
async function nearestTo(of) {
  try {
    const { items } = await similar(of, LENGTH);
    return { of, about: `The nearest to ${of}.`, items };
  } catch (error) {
    // Nothing is similar to what has no vector: that is an answer.
    if (!(error instanceof Refusal) || error.code !== 404) throw error;
    return { of, about: `${of} has no vector yet.`, items: [], isUnknown: true };
  }
}

/** @param {string} text @param {string} type */
async function foundFor(text, type) {
  const { items, query, fallback } = await search(text, type, LENGTH);
  const of = `query:${query.text}`;
  const about =
    fallback === 'popular' ? `Nobody searched “${query.text}”: what is popular.` : `For “${query.text}”.`;
  return { of, about, items };
}

/**
 * @param {string} from
 * @param {import('./api.js').Candidates} answer
 * @param {Grouping} grouping
 */
function noteOf(from, { items, fallback, filtered }, grouping) {
  const left = [
    filtered.seen > 0 ? `${count(filtered.seen)} seen` : '',
    filtered.blocked > 0 ? `${count(filtered.blocked)} blocked` : '',
  ].filter((part) => part !== '');
  const parts = [];
  if (fallback === 'popular') parts.push(`${from} has no vector for this yet: what is popular.`);
  if (items.length === 0) parts.push('Nothing is left to show.');
  parts.push(
    sharedOf(
      items.map(({ entity }) => entity),
      grouping,
    ),
  );
  if (left.length > 0) parts.push(`Left out: ${left.join(', ')}.`);
  return [el('span', {}, parts.filter((part) => part !== '').join(' '))];
}

/**
 * How many of the entities are in the groups of the entity that is shown.
 * @param {readonly string[]} entities
 * @param {Grouping} grouping
 */
function sharedOf(entities, { groupsOf, own }) {
  const known = entities.filter((entity) => groupsOf(entity).length > 0);
  if (own.length === 0 || known.length === 0) return '';
  const shared = known.filter((entity) => groupsOf(entity).some((group) => own.includes(group)));
  return `${shared.length} of ${known.length} in ${own.join(' or ')}.`;
}

/** @param {unknown} reason */
export function wordsOf(reason) {
  if (reason instanceof Refusal && reason.code === 0) return 'twhin serve does not answer; trying again.';
  return reason instanceof Error ? reason.message : String(reason);
}
