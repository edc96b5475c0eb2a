// @ts-check
import { drift } from './api.js';
import { Chart } from './charts.js';
import { details, el, fill, table } from './elements.js';
import { count, share, time } from './format.js';

const EVERY_MS = 5_000;
const ROWS = 50;

/** @typedef {import('./api.js').DriftView} DriftView */

/** How one entity's vector moved from publication to publication, as it goes on. */
export class Drift {
  #note = el('p', { class: 'quiet' });
  #chart = new Chart(
    'Path between publications',
    [
      { curve: 'move', label: 'moved by', colour: 'c0' },
      { curve: 'cosine', label: 'cosine to the first', colour: 'c1' },
    ],
    share,
    true,
  );
  #table = el('div');
  #rows = details('Publications that moved it', false, this.#table);
  place = el('div', { hidden: '' }, el('h3', {}, 'Drift'), this.#note, this.#chart.figure, this.#rows);
  #graph = '';
  #entity = '';

  constructor() {
    setInterval(() => void this.#read(), EVERY_MS);
  }

  hide() {
    this.#entity = '';
    this.place.hidden = true;
  }

  /**
   * @param {string} graph
   * @param {string} entity
   * @param {DriftView} history
   */
  of(graph, entity, history) {
    this.#graph = graph;
    this.#entity = entity;
    this.place.hidden = false;
    this.#show(history);
  }

  async #read() {
    const [graph, entity] = [this.#graph, this.#entity];
    if (entity === '' || document.hidden) return;
    // Out of reach: it is asked for again.
    const history = await drift(graph, entity).catch(({ cause }) => (cause === 404 ? null : undefined));
    if (history === undefined || graph !== this.#graph || entity !== this.#entity) return;
    if (history !== null) return this.#show(history);
    this.#entity = '';
    this.#note.textContent = `${entity} is no longer followed: it is gone, or others were looked up since. Look it up again.`;
  }

  /** @param {DriftView} history */
  #show({ since, points }) {
    const moves = points.filter(({ norm }) => norm !== null);
    const path = moves.reduce((sum, { move }) => sum + (move ?? 0), 0);
    const last = moves.at(-1);
    this.#note.textContent =
      last === undefined
        ? `Followed since ${time(since)}: looking it up began its history. Nothing that moved it was published yet.`
        : `Followed since ${time(since)}: moved ${count(moves.length)} times, ${share(path)} in all; last at ${time(last.at)} by ${share(last.move)}.`;
    this.#chart.figure.hidden = points.length === 0;
    this.#rows.hidden = points.length === 0;
    if (points.length === 0) return;
    const at = points.map((point) => point.at);
    this.#chart.show({
      // From when it is followed on, unless the oldest points are gone by now.
      at: [Math.min(since, at[0] ?? since), ...at],
      curves: {
        move: [null, ...points.map(({ move }) => move)],
        cosine: [null, ...points.map(({ cosine }) => cosine)],
      },
    });
    fill(
      this.#table,
      table(
        `Publications that moved it, the newest ${Math.min(ROWS, points.length)} of ${points.length}`,
        ['Time', 'step', 'moved by', 'length', 'cosine'],
        points
          .slice(-ROWS)
          .toReversed()
          .map(({ at: moment, step, move, norm, cosine }) =>
            norm === null
              ? [time(moment), count(step), 'another training', '', '']
              : [time(moment), count(step), share(move), share(norm), share(cosine)],
          ),
        'numbers unbroken',
      ),
    );
  }
}
