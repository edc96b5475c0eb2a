// @ts-check
import { el, fill, place } from '../shared/elements.js';
import { candidates, Refusal, search, similar } from './api.js';
import { List } from './list.js';

/** @typedef {import('./list.js').Grouping} Grouping */
/** @typedef {import('./list.js').Shown} Shown */

const LENGTH = 10;

/** The list of one surface for the user, with reasons. */
export class Surface {
  /** The graph that answers; empty before the first answer. */
  graph = '';
  #id;
  #action;
  #note = el('p', { class: 'quiet' });
  #list;
  /** @type {{ user: string, answer: import('./api.js').Candidates } | undefined} */
  #last = undefined;

  /**
   * @param {string} id of the surface, and of its place on the page
   * @param {string} action what the reader of a demo can do with its entities
   * @param {(what: string, entity: string) => void} chosen
   */
  constructor(id, action, chosen) {
    this.#id = id;
    this.#action = action;
    const section = place(id);
    this.#list = new List(section.querySelector('h2')?.textContent ?? id, chosen);
    section.append(this.#note, this.#list.element);
  }

  get entities() {
    return this.#last?.answer.items.map(({ entity }) => entity) ?? [];
  }

  /** Shows the surface where a graph has it. @param {readonly string[]} served all surfaces that are served */
  served(served) {
    place(this.#id).hidden = !served.includes(this.#id);
  }

  get isServed() {
    return !place(this.#id).hidden;
  }

  /** Asks for the list of the user. @param {string} user */
  async ask(user) {
    const answer = await candidates(this.#id, user, LENGTH);
    this.graph = answer.graph;
    this.#last = { user, answer };
  }

  /**
   * Shows what was asked for last.
   * @param {Grouping} grouping
   * @param {readonly string[]} actions that are possible
   * @returns {{ came: string[], left: string[] }}
   */
  show(grouping, actions) {
    if (this.#last === undefined) return { came: [], left: [] };
    const { user, answer } = this.#last;
    fill(this.#note, ...noteOf(user, answer, grouping));
    const action = actions.includes(this.#action) ? this.#action : undefined;
    return this.#list.show(user, answer.items, grouping, action);
  }

  /** Says why there is no list; the last one stays. @param {unknown} reason */
  failed(reason) {
    fill(this.#note, el('span', { class: 'problem' }, wordsOf(reason)));
  }
}

/**
 * What the reader looks for: what is similar to an entity, or tweets for a query.
 * @typedef {{ entity: string } | { query: string }} Wanted
 */

/** What is similar to an entity, at first the user, or what a search finds. */
export class Similar {
  #note = el('p', { class: 'quiet' });
  #list;
  /** @type {{ of: string, about: string, items: readonly Shown[] }} */
  #last = { of: '', about: '', items: [] };

  /** @param {(what: string, entity: string) => void} chosen */
  constructor(chosen) {
    this.#list = new List('Search and similar', chosen);
    place('similar').append(this.#note, this.#list.element);
  }

  get entities() {
    return this.#last.items.map(({ entity }) => entity);
  }

  /** @param {Wanted} wanted */
  async ask(wanted) {
    this.#last = 'query' in wanted ? await foundFor(wanted.query) : await nearestTo(wanted.entity);
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

/** @param {string} of */
async function nearestTo(of) {
  try {
    const { items } = await similar(of, LENGTH);
    return { of, about: `The nearest to ${of}.`, items };
  } catch (error) {
    // Nothing is similar to what has no vector: that is an answer.
    if (!(error instanceof Refusal) || error.code !== 404) throw error;
    return { of, about: `${of} has no vector yet.`, items: [] };
  }
}

/** @param {string} text */
async function foundFor(text) {
  const { items, query, fallback } = await search(text, LENGTH);
  const of = `query:${query.text}`;
  if (fallback === 'popular')
    return { of, about: `Nothing like “${query.text}” was searched: what is popular.`, items };
  if (query.known) return { of, about: `Tweets for “${query.text}”.`, items };
  const used = query.used.map((each) => `“${each.query.replace(/^query:/, '')}”`).join(', ');
  return { of, about: `Nobody searched “${query.text}”: tweets for ${used}.`, items };
}

/**
 * @param {string} user
 * @param {import('./api.js').Candidates} answer
 * @param {Grouping} grouping
 */
function noteOf(user, { items, fallback, filtered }, grouping) {
  const left = [
    filtered.seen > 0 ? `${filtered.seen} seen` : '',
    filtered.blocked > 0 ? `${filtered.blocked} blocked` : '',
  ].filter((part) => part !== '');
  const parts = [];
  if (fallback === 'popular') parts.push(`${user} has no vector for this yet: what is popular.`);
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
 * How many of the entities are of the user's own groups.
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
