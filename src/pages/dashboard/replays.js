// @ts-check

import { el, fill, place, table } from '../shared/elements.js';
import { count, rate, share, span, time } from '../shared/format.js';
import { polled, replays } from './api.js';

/** A replay reports every two seconds; a replay without a report for this long has ended. */
const SILENT_MS = 15_000;

/** @typedef {import('./api.js').ReplaysView[number]} Replay */

/** Shadow stores: the progress of their replays, and their quality beside the live store's. */
export class Replays {
  #place = place('replays');
  /** @type {import('./api.js').GraphStatus['quality']['known']} */
  #live = {};
  #choose = polled(replays, (found) => this.#show(found));

  /** @param {import('./api.js').GraphStatus} graph */
  of({ graph, quality }) {
    this.#live = quality.known;
    this.#choose(graph);
  }

  /** @param {readonly Replay[]} found */
  #show(found) {
    const none = 'There is no replay. twhin replay --into NAME makes a shadow store.';
    if (found.length === 0) fill(this.#place, el('p', { class: 'quiet' }, none));
    else fill(this.#place, ...found.flatMap((replay) => this.#describe(replay)));
  }

  /** @param {Replay} replay */
  #describe(replay) {
    const { store, finished, partitions, mrr } = replay;
    const of = partitions.reduce((sum, each) => sum + each.of, 0);
    const done = finished === null ? partitions.reduce((sum, each) => sum + each.done, 0) : of;
    const relations = [...new Set([...Object.keys(mrr), ...Object.keys(this.#live)])];
    return [
      el('h3', {}, store),
      el('p', { class: 'quiet' }, `${count(done)} of ${count(of)} records; ${wordsFor(replay)}`),
      el('progress', {
        max: String(Math.max(1, of)),
        value: String(done),
        'aria-label': `${store}: records replayed`,
      }),
      table(
        `Partitions of ${store}`,
        ['Partition', 'done', 'of'],
        partitions.map((each) => [`${each.topic} ${each.partition}`, count(each.done), count(each.of)]),
      ),
      table(
        `MRR of known entities, live and in ${store}`,
        ['MRR, known', 'live', store],
        relations.map((relation) => [relation, share(this.#live[relation]?.mrr), share(mrr[relation])]),
      ),
    ];
  }
}

/** @param {Replay} replay */
function wordsFor({ since, finished, at, perSecond, leftS, phase }) {
  if (finished !== null) return `finished ${time(Date.parse(finished))}`;
  if (at === undefined) return `since ${time(Date.parse(since))}, no report yet`;
  if (Date.now() - at > SILENT_MS)
    return `not running: last report at ${time(at)}; the same command continues the replay`;
  const left = leftS === undefined ? '' : `, ${span(leftS * 1_000)} to go`;
  return `${phase}, ${rate(perSecond)}${left}`;
}
