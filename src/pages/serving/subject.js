// @ts-check
import { el, fill, place } from '../shared/elements.js';
import { iso, span, time } from '../shared/format.js';
import { recent } from './api.js';
import { tag } from './list.js';

const LENGTH = 12;

/** The entity whose lists are shown: its groups, and what it did lately. */
export class Subject {
  #list = el('ol', { class: 'recent', 'aria-label': 'What the entity did lately' });
  #note = el('p', { class: 'quiet' });
  /** @type {import('./api.js').Recent['items']} */
  #items = [];
  #name = '';
  /** How long what the reader did took to be in the lists, ms, by relation and entity. @type {Map<string, number>} */
  #took = new Map();

  constructor() {
    place('recent').append(this.#note, this.#list);
  }

  /** Empty before the first answer. */
  get name() {
    return this.#name;
  }

  get entities() {
    return [this.#name, ...this.#items.map(({ entity }) => entity)].filter((entity) => entity !== '');
  }

  /** @param {string} entity */
  async ask(entity) {
    const { entity: name, items } = await recent(entity, LENGTH);
    if (name !== this.#name) this.#took.clear();
    this.#name = name;
    this.#items = items;
  }

  /** @param {string} entity @param {number} ms */
  took(entity, ms) {
    this.#took.set(entity, ms);
  }

  /** @param {(entity: string) => readonly string[]} groupsOf @param {boolean} hasVector */
  show(groupsOf, hasVector) {
    if (this.#name === '') return;
    place('entity-title').textContent = this.#name;
    const own = groupsOf(this.#name);
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
    const nothing = hasVector
      ? 'No event of its own is known.'
      : 'No event has named it, as far as is known: is the id right?';
    this.#note.textContent = this.#items.length === 0 ? nothing : 'What it did lately, the newest first:';
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
            { class: ms === undefined ? 'when' : 'when took', title: iso(at) },
            ms === undefined ? time(at).split(' ')[0] : `visible after ${span(ms)}`,
          ),
        );
      }),
    );
  }
}
