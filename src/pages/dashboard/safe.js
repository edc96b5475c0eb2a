// @ts-check

import { details, el, fill, place, table, tiles } from '../shared/elements.js';
import { count, separated, span, time } from '../shared/format.js';
import { rejected } from './api.js';
import { Chart } from './charts.js';

/**
 * The rejected records by reason and topic.
 * @param {string} name
 * @param {Readonly<Record<string, Readonly<Record<string, number>>>>} rejectedBy
 */
export function rejections(name, rejectedBy) {
  const rows = Object.entries(rejectedBy).flatMap(([topic, byReason]) =>
    Object.entries(byReason).map(([reason, records]) => [`${reason} in ${topic}`, count(records)]),
  );
  return table(name, ['Reason and topic', 'Records'], rows);
}

/** Rejected events, waiting vectors, and faults. */
export class Safe {
  #tiles = el('div');
  #reasons = el('div');
  #samples = el('div');
  #faults = el('div');
  #outbox = new Chart('Outbox', [{ curve: 'outbox', label: 'vectors waiting', colour: 'c0' }], count);
  #values = false;
  #button = el('button', { type: 'button', 'aria-pressed': 'false' }, 'Show their content');
  #newest = details('Newest dead letters', false, this.#button, this.#samples);
  #graph = '';
  #seen = '';

  constructor() {
    this.#button.addEventListener('click', () => {
      this.#values = !this.#values;
      this.#button.setAttribute('aria-pressed', String(this.#values));
      void this.#read();
    });
    place('safe').append(
      this.#tiles,
      el('h3', {}, 'Warnings and errors'),
      this.#faults,
      this.#outbox.figure,
      el('h3', {}, 'Dead letters'),
      this.#reasons,
      this.#newest,
    );
  }

  /**
   * @param {import('./api.js').GraphStatus} graph
   * @param {import('./api.js').Status} status
   */
  status(
    { graph, events, rejectedBy, outbox, oldest, retries, commits, writer },
    { faults, now, startedAt },
  ) {
    const last = faults.findLast(({ level }) => level === 'error');
    fill(
      this.#tiles,
      tiles([
        ['dead letters', count(events.rejected), 'over the life of the store'],
        ['repeats', count(events.duplicate + events.late), 'duplicate and late events, which change nothing'],
        ['outbox', count(outbox), 'committed vectors without an acknowledgement'],
        ['oldest waits', oldest === undefined ? '–' : span(Math.max(0, now - oldest))],
        ['sends repeated', count(retries)],
        ['commits', count(commits)],
        ['last start', time(startedAt)],
        ['last error', last === undefined ? 'none' : time(last.at), 'warnings are no errors'],
        ['epoch', writer === undefined ? '–' : String(writer.epoch), `space ${writer?.space ?? '–'}`],
      ]),
    );
    fill(this.#reasons, rejections('Dead letters by topic and reason, since the process began', rejectedBy));
    fill(
      this.#faults,
      faults.length === 0
        ? el('p', { class: 'quiet' }, 'None since the process began.')
        : table(
            'Newest warnings and errors',
            ['Last', 'Times', 'Message'],
            faults
              .toReversed()
              .slice(0, 10)
              .map(({ at, level, times, text }) => [time(at), count(times), `${level}: ${separated(text)}`]),
            'words',
          ),
    );
    this.#newest.hidden = events.rejected === 0;
    const seen = `${graph} ${events.rejected}`;
    if (seen === this.#seen) return;
    this.#seen = seen;
    this.#graph = graph;
    void this.#read();
  }

  /** @param {import('./api.js').HistoryView} history */
  history(history) {
    this.#outbox.show(history);
  }

  async #read() {
    const records = await rejected(this.#graph, this.#values).catch(() => []);
    if (records.length === 0) return this.#samples.replaceChildren();
    fill(
      this.#samples,
      table(
        'Newest dead letters',
        ['Reason', 'Offset', ...(this.#values ? ['Message', 'Value'] : [])],
        records.map(({ code, topic, partition, offset, message, value }) => [
          code,
          `${topic} ${partition} @ ${offset}`,
          ...(this.#values ? [message, value === null ? 'tombstone' : value] : []),
        ]),
        'words',
      ),
    );
  }
}
