// @ts-check

import { el, fill, place, table } from '../shared/elements.js';
import { count, share } from '../shared/format.js';
import { Chart } from './charts.js';

/** A mean of fewer edges is marked as not meaningful. */
const FEW_EDGES = 50;

/** How well the vectors predict new events, by relation and beside simple baselines. */
export class Right {
  #table = el('div');
  #moves = el('div');
  #mrr = new Chart(
    'MRR of each event before it is learned',
    [
      { curve: 'mrrKnown', label: 'known entities', colour: 'c0' },
      { curve: 'mrrNew', label: 'new entities', colour: 'c1' },
      { curve: 'mrrPopularity', label: 'by popularity', colour: 'c4' },
    ],
    share,
  );
  #loss = new Chart('Loss', [{ curve: 'loss', label: 'mean', colour: 'c3' }], share);
  #baseline = el('p', { class: 'quiet' });

  constructor() {
    place('right').append(this.#mrr.figure, this.#baseline, this.#table, this.#loss.figure, this.#moves);
  }

  /** @param {import('./api.js').GraphStatus} graph */
  status({ knownByRelation, freshByRelation, lossByRelation, moved }) {
    const figures = [lossByRelation, knownByRelation, freshByRelation];
    const relations = [...new Set(figures.flatMap((each) => Object.keys(each)))];
    fill(
      this.#table,
      table(
        'Quality by relation, mean of about the last hundred batches',
        ['Relation', 'MRR known', 'hits@10', 'MRR new', 'by popularity', 'by chance', 'loss'],
        relations.map((relation) => {
          const known = knownByRelation[relation];
          return [
            relation,
            mrr(known),
            share(known?.hits10),
            mrr(freshByRelation[relation]),
            share(known?.popularityMrr),
            share(known?.randomMrr),
            share(lossByRelation[relation]),
          ];
        }),
      ),
    );
    fill(
      this.#moves,
      el('h3', {}, 'Movement of published vectors'),
      table(
        'Path of a vector between two publications, by entity type',
        ['Type', 'mean', '99\u00a0%', 'length'],
        Object.entries(moved).map(([type, { mean, p99, norm }]) => [
          type,
          share(mean),
          share(p99),
          share(norm),
        ]),
      ),
    );
  }

  /** @param {import('./api.js').HistoryView} history the time shown; its mean is the baseline */
  history(history) {
    this.#mrr.show(history);
    this.#loss.show(history);
    const known = (history.curves['mrrKnown'] ?? []).filter((value) => value !== null);
    const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
    const now = known.at(-1);
    this.#baseline.textContent =
      known.length === 0 || now === undefined
        ? 'No event was ranked in the time shown.'
        : `Known entities: ${share(now)} now, ${share(mean)} on average over the ${count(known.length)} points shown.`;
  }
}

/** @param {{ readonly mrr: number, readonly count: number } | undefined} quality */
function mrr(quality) {
  if (quality === undefined || quality.count >= FEW_EDGES) return share(quality?.mrr);
  const edges = `of ${count(Math.max(1, quality.count))}`;
  return el(
    'span',
    { class: 'quiet', title: `${edges} edges: too few to tell` },
    `${share(quality.mrr)} ${edges}`,
  );
}
