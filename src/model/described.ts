import type { ModelSettings } from './settings.ts';

/** How the vectors are scored, in words that need nothing of this program. */
export function describeModel({ dim, scorer, beta }: ModelSettings) {
  const common = { dim, scale: beta, reciprocals: true };
  const [q, c] = ['entities[h] + relations[r]', 'entities[t]'];
  const heads =
    'to find h: entities[t] + reciprocals[r] in place of entities[h] + relations[r], and entities[h] in place of entities[t]';
  if (scorer === 'twhin') return { scorer: 'dot', ...common, score: `scale * dot(${q}, ${c})`, heads };
  const kinds = {
    'transe-l1': { kind: { norm: 1 }, score: `-scale * sum(abs(${q} - ${c}))` },
    'transe-l2': { kind: { norm: 2 }, score: `-scale * sqrt(sum((${q} - ${c}) ** 2))` },
    'transe-l2-squared': { kind: { norm: 2, squared: true }, score: `-scale * sum((${q} - ${c}) ** 2)` },
  } as const;
  const { kind, score } = kinds[scorer];
  return { scorer: 'transe', ...kind, ...common, score, heads };
}
