// @ts-check

import { el, fill, place, table, tiles } from '../shared/elements.js';
import { bytes, count, total } from '../shared/format.js';
import { Chart } from './charts.js';

/** Amounts, memory and disk. */
export class Size {
  #tiles = el('div');
  #tables = el('div');
  #entities = new Chart(
    'Growth',
    [
      { curve: 'entities', label: 'entities', colour: 'c0' },
      { curve: 'edges', label: 'live edges', colour: 'c1' },
    ],
    count,
  );
  #memory = new Chart(
    'Memory and disk',
    [
      { curve: 'memoryBytes', label: 'memory', colour: 'c0' },
      { curve: 'storeBytes', label: 'stores', colour: 'c1' },
    ],
    bytes,
  );

  constructor() {
    place('size').append(this.#tiles, this.#entities.figure, this.#memory.figure, this.#tables);
  }

  /**
   * @param {import('./api.js').GraphStatus} graph
   * @param {import('./api.js').Status} status
   */
  status({ entities, edges, rows, disk, published, step, kernel, fingerprint }, { memoryBytes }) {
    fill(
      this.#tiles,
      tiles([
        ['entities', count(total(entities))],
        ['live edges', count(total(edges))],
        ['rows free', count(rows.free), 'of the table; the limit is limits.maxEntities'],
        ['memory', bytes(memoryBytes), 'of the whole process'],
        ['on disk', bytes(disk?.used)],
        ['disk free', bytes(disk?.free)],
        ['published', count(published), 'since the process began'],
        ['step', count(step)],
        ['kernel', kernel, `model ${fingerprint}`],
      ]),
    );
    const rowsOf = (/** @type {Readonly<Record<string, number>>} */ counts) =>
      Object.entries(counts).map(([name, value]) => [name, count(value)]);
    fill(
      this.#tables,
      table('Entities by type', ['Type', 'Entities'], rowsOf(entities)),
      table('Live edges by relation', ['Relation', 'Edges'], rowsOf(edges)),
    );
  }

  /** @param {import('./api.js').HistoryView} history */
  history(history) {
    this.#entities.show(history);
    this.#memory.show(history);
  }
}
