// @ts-check

import { details, el, fill, place, table, tiles } from '../shared/elements.js';
import { count, rate, seconds, span } from '../shared/format.js';
import { Chart } from './charts.js';

/** How far the vectors are behind the events. */
export class Fresh {
  #tiles = el('div');
  #lag = el('div');
  #partitions = details('Lag by partition', false, this.#lag);
  #latency = new Chart(
    'Event → vector',
    [
      { curve: 'latencyP50Ms', label: 'median', colour: 'c0' },
      { curve: 'latencyP99Ms', label: '99\u00a0%', colour: 'c1' },
    ],
    span,
  );
  #behind = new Chart('Lag', [{ curve: 'lagSeconds', label: 'behind', colour: 'c0' }], seconds);
  #rates = new Chart(
    'Rates',
    [
      { curve: 'eventsPerS', label: 'events', colour: 'c0' },
      { curve: 'publishedPerS', label: 'vectors', colour: 'c1' },
    ],
    rate,
  );

  constructor() {
    place('fresh').append(
      this.#tiles,
      this.#latency.figure,
      this.#behind.figure,
      this.#rates.figure,
      this.#partitions,
    );
  }

  /**
   * @param {import('./api.js').GraphStatus} graph
   * @param {{ events: number | undefined }} rates
   */
  status({ latencyMs, lag, events, committedAt }, rates) {
    const records = lag.reduce((sum, each) => sum + each.records, 0);
    const behind = lag.length === 0 ? undefined : Math.max(...lag.map((each) => each.seconds ?? 0));
    fill(
      this.#tiles,
      tiles([
        [
          'event → vector',
          span(latencyMs.p50),
          'median of the newest vectors, from the arrival of the event to the acknowledgement',
        ],
        ['slowest 1 %', span(latencyMs.p99)],
        ['lag', seconds(behind), 'age of the newest learned event while events wait'],
        ['events waiting', lag.length === 0 ? '–' : count(records)],
        ['events', rate(rates.events)],
        ['events in all', count(events.consumed)],
        ['last commit', committedAt === undefined ? '–' : `${span(Date.now() - committedAt)} ago`],
      ]),
    );
    fill(
      this.#lag,
      table(
        'Lag by partition',
        ['Partition', 'Waiting', 'Behind'],
        lag.map((each) => [`${each.topic} ${each.partition}`, count(each.records), seconds(each.seconds)]),
      ),
    );
  }

  /** @param {import('./api.js').HistoryView} history */
  history(history) {
    for (const chart of [this.#latency, this.#behind, this.#rates]) chart.show(history);
  }
}
