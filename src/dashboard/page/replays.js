// @ts-check
import { replays } from './api.js';
import { el, fill, place, table } from './elements.js';
import { count } from './format.js';

const EVERY_MS = 5_000;

/** Shadow stores beside the live one, and how far their replays are. */
export class Replays {
  #place = place('replays');
  #graph = '';

  constructor() {
    setInterval(() => void this.#read(), EVERY_MS);
  }

  /** @param {string} graph */
  of(graph) {
    if (graph === this.#graph) return;
    this.#graph = graph;
    void this.#read();
  }

  async #read() {
    if (this.#graph === '' || document.hidden) return;
    const found = await replays(this.#graph).catch(() => undefined);
    if (found === undefined) return;
    if (found.length === 0) {
      return fill(
        this.#place,
        el('p', { class: 'quiet' }, 'No replay beside the live store. twhin replay --into NAME makes one.'),
      );
    }
    fill(
      this.#place,
      ...found.flatMap(({ store, since, finished, done, of, partitions }) => [
        el('h3', {}, store),
        el(
          'p',
          { class: 'quiet' },
          finished === null
            ? `since ${new Date(since).toLocaleString()}: ${done === undefined ? 'nothing committed yet' : `${count(done)} of ${count(of)} records`}`
            : `finished ${new Date(finished).toLocaleString()}: ${count(of)} records`,
        ),
        el('progress', {
          max: String(Math.max(1, of)),
          value: String(finished === null ? (done ?? 0) : of),
          'aria-label': `${store}: records replayed`,
        }),
        table(
          `Partitions of ${store}`,
          ['Partition', 'done', 'of'],
          partitions.map((each) => [`${each.topic} ${each.partition}`, count(each.done), count(each.of)]),
        ),
      ]),
    );
  }
}
