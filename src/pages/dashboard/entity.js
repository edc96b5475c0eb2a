// @ts-check

import { el, fill, place, table, tiles } from '../shared/elements.js';
import { count, share, span, time } from '../shared/format.js';
import { entity } from './api.js';

/** One entity by id: edges, vector, and nearest entities. */
export class Entity {
  #input = el('input', {
    name: 'id',
    placeholder: 'user:123',
    autocomplete: 'off',
    spellcheck: 'false',
    required: '',
  });
  #result = el('div', { 'aria-live': 'polite' });
  #nearest = el('div');
  #graph = '';
  /** Number of the newest request: the answer to an older request is dropped. */
  #asked = 0;

  constructor() {
    const form = el(
      'form',
      {},
      el('label', {}, 'TYPE:ID', this.#input),
      el('button', { type: 'submit' }, 'Look up'),
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#find(this.#input.value.trim());
    });
    place('entity').append(form, this.#result, this.#nearest);
  }

  /** @param {string} graph */
  of(graph) {
    if (graph === this.#graph) return;
    this.#graph = graph;
    this.#asked++;
    this.#nearest.replaceChildren();
    this.#result.replaceChildren();
  }

  /** @param {string} id */
  async #find(id) {
    const [graph, asked] = [this.#graph, ++this.#asked];
    this.#input.value = id;
    this.#nearest.replaceChildren();
    fill(this.#result, el('p', { class: 'quiet' }, `Comparing ${id} with every vector …`));
    try {
      const found = await entity(graph, id);
      if (asked !== this.#asked) return;
      this.#show(found);
    } catch (error) {
      if (asked !== this.#asked) return;
      const reason = error instanceof Error ? error.message : String(error);
      fill(this.#result, el('p', { class: 'problem' }, `${id} in ${graph}: ${reason}`));
    }
  }

  /** @param {import('./api.js').EntityView} found */
  #show(found) {
    const near = Object.entries(found.nearest).map(([type, neighbours]) => [
      el('h3', {}, `Nearest: ${type}`),
      table(
        `Nearest of type ${type}`,
        ['Entity', 'cosine'],
        neighbours.map(({ entity: name, score }) => [this.#link(name), share(score)]),
      ),
    ]);
    this.#result.replaceChildren(
      el('h3', {}, found.entity),
      tiles([
        ['last event', time(found.lastSeen)],
        ['first event', time(found.firstSeen)],
        ['updates', count(found.updates), 'trained edges with this entity as an end'],
        [
          'as of step',
          count(found.step),
          `the last checkpoint, with the vectors that are compared${found.at === undefined ? '' : `, ${span(Date.now() - found.at)} ago`}`,
        ],
        ['moved by', found.drift === null ? '–' : share(found.drift), 'since the last publication'],
        ['length', share(found.norm)],
      ]),
      table(
        'Live edges by relation',
        ['Relation', 'out', 'in'],
        Object.entries(found.edges).map(([relation, edges]) => [relation, count(edges.out), count(edges.in)]),
      ),
    );
    this.#nearest.replaceChildren(...near.flat());
  }

  /** @param {string} name */
  #link(name) {
    const button = el('button', { type: 'button', title: name }, name);
    button.addEventListener('click', () => void this.#find(name));
    return button;
  }
}
