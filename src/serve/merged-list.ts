import type { EntityKey } from '../graph/entity.ts';
import { limiter } from './accepted-rows.ts';
import type { Holding } from './holding.ts';
import type { AnswerHead } from './served-graph.ts';
import type { ShardItem } from './shard-questions.ts';
import { missingPartitions, type Reply, repliesOf } from './shard-replies.ts';
import type { Turn } from './turn.ts';

/** What an answer merged of several has besides. */
export interface Merging {
  /** Whether vectors of some partitions were left out: no shard that holds them answered in time. */
  readonly partial: boolean;
  readonly missingPartitions: readonly number[];
}

/** A list, and the shards that it is of. */
export interface MergedList<T> {
  readonly items: readonly ShardItem[];
  readonly together: readonly Reply<T>[];
}

/**
 * The best `k` of the shards' best `k`. A longer look is never needed, limited or not: a shard's list has no more of an
 * advertiser than the limit, and whatever of it is refused here has as many better ones of its advertiser before it.
 * @throws FatalError `shards-away` or `busy` when there is no list.
 */
export function bestOf<T>(
  turn: Turn,
  together: readonly Reply<T>[],
  k: number,
  replies: readonly Reply<{ readonly items: readonly ShardItem[] }>[],
  adsOfOne?: number | undefined,
): MergedList<T> {
  if (replies.length === 0) throw turn.away();
  const accepts = limiter(adsOfOne, ({ advertiser }: ShardItem) => advertiser).accepts;
  const seen = new Set<EntityKey>();
  const items: ShardItem[] = [];
  for (const item of replies.flatMap(({ answer }) => answer.items).sort(byScore)) {
    if (items.length === k) break;
    // Where no shard has a table of the type, all of them list the same popular entities.
    if (!seen.has(item.entity) && accepts(item)) items.push(item);
    seen.add(item.entity);
  }
  return { items, together: repliesOf(together, replies) };
}

/** What an answer says of the vectors that it is made of. all: everyone who said how many partitions there are. */
export function headOf(
  all: readonly Reply<Holding>[],
  together: readonly Reply<Holding>[],
): Omit<AnswerHead, 'fallback'> & Merging {
  const missing = missingPartitions(all, together);
  const answers = together.map(({ answer }) => answer);
  const stale = answers.flatMap(({ staleSince }) => staleSince ?? []);
  return {
    graph: (answers[0] ?? all[0]!.answer).graph,
    space: answers.find(({ space }) => space !== '')?.space ?? '',
    step: Math.max(0, ...answers.map(({ step }) => step)),
    asOf: Math.max(0, ...answers.map(({ asOf }) => asOf)),
    staleSince: stale.length === 0 ? null : Math.min(...stale),
    partial: missing.length > 0,
    missingPartitions: missing,
  };
}

function byScore(a: ShardItem, b: ShardItem): number {
  if (a.score !== b.score) return b.score - a.score;
  return a.entity < b.entity ? -1 : Number(a.entity > b.entity);
}
