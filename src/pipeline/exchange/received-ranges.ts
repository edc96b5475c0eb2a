import type { Head } from '../../graph/head.ts';
import type { Parcel } from './parcel.ts';

/** By sender, as a store's head has it. */
type Received = NonNullable<Head['shard']>['received'];

type Range = Pick<Parcel, 'first' | 'last' | 'part'>;

/**
 * The range of the last gradients received from each shard, by which gradients that come again are known: from a sender that
 * was killed before its commit, or goes on from an older store.
 */
export class ReceivedRanges {
  readonly #last: Map<number, Received[string]>;

  constructor(received: Received = {}) {
    this.#last = new Map(Object.entries(received).map(([from, last]) => [Number(from), last]));
  }

  /** What a commit writes of it, as of now. */
  head(): Received {
    return Object.fromEntries(this.#last);
  }

  /** Whether the parcel's gradients were not received before; then notes that they are. */
  take({ from, run, first, last, part }: Parcel): boolean {
    const known = this.#last.get(from);
    const isNew = known?.run !== run || follows({ first, last, part }, known);
    if (isNew) this.#last.set(from, { run, first, last, part });
    return isNew;
  }
}

/** Whether gradients of one range and part are not among those up to another. */
function follows(parcel: Range, known: Range): boolean {
  if (parcel.last > known.last) return parcel.first >= known.last;
  // Further parts of the same range, or of a batch without new edges after it. The same end of another cut is no new part.
  const continues = parcel.first === known.first || parcel.first === parcel.last;
  return parcel.last === known.last && continues && parcel.part > known.part;
}
