import type { EntityKey } from '../graph/entity.ts';

/**
 * Gives how likely it is that a candidate is the one chosen among itself and some negatives, as training models a choice: the softmax of
 * the scores, e^score / (e^score + Σ e^negative). The largest score is subtracted first. It costs as much as
 * one sum, however many candidates there are.
 */
export class ChosenAmong {
  /** Of e^(negative − the highest): the sums of those before a place, and of those from a place on. */
  readonly #before: Float64Array;
  readonly #from: Float64Array;
  readonly #highest: number;
  readonly #places: ReadonlyMap<EntityKey, number>;

  /** Among those of the names that have a score, each once. */
  static those(names: readonly EntityKey[], scoreOf: (name: EntityKey) => number | undefined): ChosenAmong {
    return new ChosenAmong(
      [...new Set(names)].flatMap((entity) => {
        const score = scoreOf(entity);
        return score === undefined ? [] : [{ entity, score }];
      }),
    );
  }

  /** negatives: names with their scores, each name once. */
  constructor(negatives: readonly { readonly entity: EntityKey; readonly score: number }[]) {
    this.#highest = negatives.reduce((most, { score }) => Math.max(most, score), Number.NEGATIVE_INFINITY);
    const terms = negatives.map(({ score }) => Math.exp(score - this.#highest));
    this.#before = new Float64Array(terms.length + 1);
    this.#from = new Float64Array(terms.length + 1);
    for (let i = 0; i < terms.length; i++) this.#before[i + 1] = this.#before[i]! + terms[i]!;
    for (let i = terms.length - 1; i >= 0; i--) this.#from[i] = this.#from[i + 1]! + terms[i]!;
    this.#places = new Map(negatives.map(({ entity }, place) => [entity, place]));
  }

  /** A candidate that is among the negatives is none of its own. undefined without any other negative. */
  probability(entity: EntityKey, score: number): number | undefined {
    const place = this.#places.get(entity);
    if (this.#places.size === (place === undefined ? 0 : 1)) return undefined;
    const others = place === undefined ? this.#from[0]! : this.#before[place]! + this.#from[place + 1]!;
    if (score > this.#highest) return 1 / (1 + others * Math.exp(this.#highest - score));
    const own = Math.exp(score - this.#highest);
    return own / (own + others);
  }
}
