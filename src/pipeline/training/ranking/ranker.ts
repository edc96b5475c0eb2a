import type { EdgeRows } from '../../../graph/edge.ts';
import type { Kernel } from '../../../model/kernel.ts';
import type { KnownPositives, MaskTask } from '../../../sampling/known-positives.ts';

/** Ranks up to this one count as hits. */
export const HIT_RANK = 10;
/** Edges of one relation that share their candidates: one matrix product gives their scores. */
export const BLOCK = 64;

/** An edge beside its candidates; views, valid until the next block. */
export interface Scored {
  /** The score of its own rhs. */
  readonly wanted: number;
  /** [candidates] */
  readonly scores: Float32Array;
  /** [candidates] 1: left out. */
  readonly mask: Uint8Array;
}

/** Edges of one relation, by their places in a batch. */
export interface Block {
  readonly relation: number;
  readonly members: readonly number[];
}

export function* blocksOf({ relation }: EdgeRows, picked: readonly number[]): Iterable<Block> {
  for (const [of, members] of Map.groupBy(picked, (i) => relation[i]!)) {
    for (let start = 0; start < members.length; start += BLOCK)
      yield { relation: of, members: members.slice(start, start + BLOCK) };
  }
}

/**
 * Scores rhs of edges against candidates, with the known positives of lhs and relation left out. Draws nothing and changes
 * nothing, so that ranking has no effect on training.
 */
export class Ranker {
  readonly #kernel: Pick<Kernel, 'scoreMatrix'>;
  readonly #known: KnownPositives;
  readonly #task: MaskTask;
  readonly #relationRows = new Int32Array(BLOCK);
  readonly #scores: Float32Array;
  /** [BLOCK, BLOCK] every rhs of a block for every lhs. */
  readonly #wanted = new Float32Array(BLOCK * BLOCK);

  /** most: candidates of a block. */
  constructor(kernel: Pick<Kernel, 'scoreMatrix'>, known: KnownPositives, most: number) {
    this.#kernel = kernel;
    this.#known = known;
    this.#task = {
      side: 'rhs',
      hub: () => Number.POSITIVE_INFINITY,
      edges: BLOCK,
      anchors: new Int32Array(BLOCK),
      relation: new Int32Array(BLOCK),
      positives: new Int32Array(BLOCK),
      count: most,
      candidates: new Int32Array(most),
      mask: new Uint8Array(BLOCK * most),
      stride: most,
    };
    this.#scores = new Float32Array(BLOCK * most);
  }

  /** candidates: rows, duplicates allowed. In the order of the block's members. */
  score({ relation, members }: Block, { lhs, rhs }: EdgeRows, candidates: ArrayLike<number>): Scored[] {
    const { anchors, positives, stride } = this.#task;
    const [edges, count] = [members.length, candidates.length];
    members.forEach((i, k) => {
      anchors[k] = lhs[i]!;
      positives[k] = rhs[i]!;
    });
    this.#task.candidates.set(candidates);
    this.#task.count = count;
    this.#task.relation.fill(relation);
    this.#relationRows.fill(2 * relation);
    this.#known.mask({ ...this.#task, edges });
    const asked = [anchors.subarray(0, edges), this.#relationRows.subarray(0, edges)] as const;
    const rows = this.#task.candidates.subarray(0, count);
    this.#kernel.scoreMatrix(...asked, rows, this.#scores.subarray(0, edges * count));
    const wanted = this.#wanted.subarray(0, edges * edges);
    this.#kernel.scoreMatrix(...asked, positives.subarray(0, edges), wanted);
    return members.map((_, k) => ({
      wanted: wanted[k * edges + k]!,
      scores: this.#scores.subarray(k * count, (k + 1) * count),
      mask: this.#task.mask.subarray(k * stride, k * stride + count),
    }));
  }
}

/**
 * The rank of a value among itself and the unmasked values from `from` to before `end`, 1 for the highest. A tie counts
 * half; a value that is no number ranks last.
 */
export function rankAmong(
  wanted: number,
  values: ArrayLike<number>,
  mask: Uint8Array,
  from = 0,
  end = values.length,
): number {
  if (Number.isNaN(wanted)) return 1 + unmasked(mask, from, end);
  let rank = 1;
  for (let k = from; k < end; k++) {
    if (mask[k] !== 0) continue;
    const value = values[k]!;
    if (value > wanted) rank++;
    else if (value === wanted) rank += 0.5;
  }
  return rank;
}

export function unmasked(mask: Uint8Array, from = 0, end = mask.length): number {
  let count = 0;
  for (let k = from; k < end; k++) if (mask[k] === 0) count++;
  return count;
}

/** Sums 1 + 1/2 + … + 1/n by n, as far as they were asked for. */
const harmonics = [0];

/** 1 + 1/2 + … + 1/n. Over n, it is the mean of 1/rank when every rank is as likely. */
export function harmonic(n: number): number {
  for (let i = harmonics.length; i <= n; i++) harmonics.push(harmonics[i - 1]! + 1 / i);
  return harmonics[n]!;
}
