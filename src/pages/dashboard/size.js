// @ts-check

import { el, fill, place, table, tiles } from '../shared/elements.js';
import { bytes, count, span, total } from '../shared/format.js';
import { Chart } from './charts.js';
import { rejections } from './safe.js';

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
  status(
    { graph, entities, edges, rows, freeRows, maxRows, disk, published, step, kernel, fingerprint, exchange },
    { memoryBytes, now, routers },
  ) {
    fill(
      this.#tiles,
      tiles([
        ['entities', count(total(entities))],
        ['live edges', count(total(edges))],
        [
          'rows free',
          count(Math.max(0, maxRows - rows + freeRows)),
          'of the table; the limit is limits.maxEntities',
        ],
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
      ...(exchange === undefined ? [] : shards(exchange, now)),
      ...routers.filter((router) => graph.startsWith(`${router.graph}-`)).flatMap(routing),
    );
  }

  /** @param {import('./api.js').HistoryView} history */
  history(history) {
    this.#entities.show(history);
    this.#memory.show(history);
  }
}

/**
 * The router of the graph's shards in this process.
 * @param {import('./api.js').Status['routers'][number]} router
 */
function routing({ graph, ready, reasons, partitions, events, rejectedBy, sent, lag }) {
  const waiting = lag.reduce((sum, { records }) => sum + records, 0);
  const rejected = Object.values(rejectedBy).reduce((sum, byReason) => sum + total(byReason), 0);
  const summary = tiles([
    [
      `routing for ${graph}`,
      partitions === undefined ? 'no part yet' : `${count(partitions)} partitions`,
      ready ? 'of the event topics' : reasons.join('; '),
    ],
    ['events routed', count(events), `${count(rejected)} of them are dead letters`],
    ['sent to shards', count(sent), 'an event that concerns two shards counts twice'],
    ['waiting', count(waiting), 'events of these partitions'],
  ]);
  if (rejected === 0) return [summary];
  const name = 'Dead letters of the routing, since the process began';
  return [summary, rejections(name, rejectedBy)];
}

/**
 * What a shard and the others of its graph sent each other.
 * @param {NonNullable<import('./api.js').GraphStatus['exchange']>} exchange
 * @param {number} now
 */
function shards(exchange, now) {
  const heard = (/** @type {number | undefined} */ at) =>
    at === undefined ? 'not yet' : `${span(Math.max(0, now - at))} ago`;
  return [
    table(
      'Between this shard and the others, since the process began',
      ['What', 'Sent', 'Received'],
      [
        ['gradients', count(exchange.sentGradients), count(exchange.receivedGradients)],
        ['vectors', count(exchange.sentVectors), count(exchange.receivedVectors)],
      ],
    ),
    tiles([
      ['edges waiting', count(exchange.waiting), 'for the vector of their far end'],
      ['copies', count(exchange.copies), `${count(exchange.asked)} vectors asked for`],
      ['vectors received', `${span(exchange.vectorAgeMs.p50)} old`, 'the middle of recent parcels'],
    ]),
    table(
      'Other shards',
      ['Shard', 'Heard of'],
      exchange.peers.map(({ shard, heardAt }) => [String(shard), heard(heardAt)]),
    ),
  ];
}
