import type { Quality } from './quality.ts';

/** Fewer edges than these say nothing, whatever they say. */
const FEWEST_EDGES = 30;
/** Standard errors that a difference has to be from none: 1 in 20 of equals are taken for different. */
const STANDARD_ERRORS = 2;

/** Which of two stores ranks better; undefined where it can't be told. */
export function better(quality: Quality | undefined): 'A' | 'B' | undefined {
  if (quality === undefined || quality.all.edges < FEWEST_EDGES) return undefined;
  const { mrr, standardError } = quality.difference;
  if (Math.abs(mrr) <= STANDARD_ERRORS * standardError) return undefined;
  return mrr > 0 ? 'B' : 'A';
}

/** The same in words, with the figures it goes by. */
export function verdict(quality: Quality | undefined): string {
  if (quality === undefined) return 'Which is better can not be told: no new edge was ranked.';
  const winner = better(quality);
  const { all, difference } = quality;
  const [first, second] = winner === 'A' ? [all.a, all.b] : [all.b, all.a];
  const lead = winner === 'A' ? -difference.mrr : difference.mrr;
  const figures =
    `MRR ${first.mrr.toFixed(3)} against ${second.mrr.toFixed(3)}, ` +
    `${lead < 0 ? '' : '+'}${lead.toFixed(4)} ± ${difference.standardError.toFixed(4)} ` +
    `(standard error; ${all.edges.toLocaleString('en-US')} edges)`;
  if (winner !== undefined) return `${winner} is better: ${figures}.`;
  const why =
    all.edges < FEWEST_EDGES ? 'Too few edges to tell which is better' : 'No difference can be told';
  return `${why}: B has ${figures}.`;
}
