// @ts-check
import { el, fill, place } from '../shared/elements.js';
import { span } from '../shared/format.js';
import { recent } from './api.js';
import { tag } from './list.js';

const LENGTH = 12;

/** The user whose lists are shown: groups, and what the user did of late. */
export class Person {
  #list = el('ol', { class: 'recent', 'aria-label': 'What the user did of late' });
  #note = el('p', { class: 'quiet' });
  /** @type {import('./api.js').Recent['items']} */
  #items = [];
  #user = '';
  /** How long what the reader did took to be in the lists, ms, by relation and entity. @type {Map<string, number>} */
  #took = new Map();

  constructor() {
    place('recent').append(this.#note, this.#list);
  }

  /** The user's whole name; empty before the first answer. */
  get name() {
    return this.#user;
  }

  get entities() {
    return [this.#user, ...this.#items.map(({ entity }) => entity)].filter((entity) => entity !== '');
  }

  /** @param {string} user */
  async ask(user) {
    const { user: whole, items } = await recent(user, LENGTH);
    if (whole !== this.#user) this.#took.clear();
    this.#user = whole;
    this.#items = items;
  }

  /** @param {string} entity @param {number} ms */
  took(entity, ms) {
    this.#took.set(entity, ms);
  }

  /** @param {(entity: string) => readonly string[]} groupsOf */
  show(groupsOf) {
    if (this.#user === '') return;
    place('person-title').textContent = this.#user;
    const own = groupsOf(this.#user);
    fill(
      place('groups'),
      ...(own.length === 0
        ? []
        : [
            el(
              'p',
              { class: 'planted' },
              own.length === 1 ? 'Planted community: ' : 'Planted communities: ',
              ...own.map((group) => tag(group, true)),
            ),
          ]),
    );
    this.#note.textContent =
      this.#items.length === 0
        ? 'Nothing is known of what this user did.'
        : 'What the user did of late, the newest first:';
    fill(
      this.#list,
      ...this.#items.map(({ relation, entity, at, removed, blocked }) => {
        const what = blocked ? `${relation}: blocked` : removed ? `${relation}: taken back` : relation;
        const ms = this.#took.get(entity);
        return el(
          'li',
          removed ? { class: 'over' } : {},
          el('span', { class: 'what' }, what),
          el('span', { class: 'entity' }, entity),
          ...groupsOf(entity).map((group) => tag(group, own.includes(group))),
          el(
            'span',
            { class: ms === undefined ? 'when' : 'when took' },
            ms === undefined ? day(at) : `visible after ${span(ms)}`,
          ),
        );
      }),
    );
  }
}

/** @param {number} at epoch ms; in the reader's own zone */
function day(at) {
  return new Date(at).toLocaleString(undefined, { dateStyle: 'short', timeStyle: 'short' });
}
