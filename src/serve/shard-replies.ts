import type { Holding, SpaceId } from './holding.ts';
import type { ShardLink } from './shard-link.ts';
import type { Begun } from './shard-questions.ts';

/** A shard and what it said. */
export interface Reply<T> {
  readonly link: ShardLink;
  readonly answer: T;
}

/** Shards that can answer together: of one space, and no partition twice. */
export type Together = readonly Reply<Begun>[];

/** The shards of one space that hold most partitions; of equally many, those with a preferred one. */
export function largestTogether<T extends Holding>(
  replies: readonly Reply<T>[],
  preferred: (reply: Reply<T>) => boolean = () => false,
): readonly Reply<T>[] {
  const named = replies.filter(({ answer }) => answer.space !== '');
  const sets = [...new Set(named.map(({ answer }) => keyOf(answer)))].map((key) =>
    // A shard whose partitions hold nothing yet is of any space.
    apart(replies.filter(({ answer }) => keyOf(answer) === key || answer.space === '')),
  );
  if (sets.length === 0) return apart(replies);
  return sets.reduce((most, set) => {
    const more = partitionsOf(set).size - partitionsOf(most).size;
    return more > 0 || (more === 0 && set.some(preferred) && !most.some(preferred)) ? set : most;
  });
}

export function hasVector({ answer }: Reply<Begun>): boolean {
  return answer.queries.length > 0;
}

export function ownerOf(together: Together): Reply<Begun> | undefined {
  return together.find(hasVector);
}

/** Those of the shards that hold no partition of an earlier one. */
export function apart<T extends Holding>(replies: readonly Reply<T>[]): Reply<T>[] {
  const held = new Set<number>();
  return replies.filter(({ answer }) => {
    if (answer.part.held.some((partition) => held.has(partition))) return false;
    for (const partition of answer.part.held) held.add(partition);
    return true;
  });
}

export function partitionsOf(replies: readonly Reply<Holding>[]): Set<number> {
  return new Set(replies.flatMap(({ answer }) => answer.part.held));
}

/** Partitions of the topic that none of the shards holds. all: everyone who said how many partitions there are. */
export function missingPartitions(
  all: readonly Reply<Holding>[],
  together: readonly Reply<Holding>[],
): number[] {
  const [first] = together;
  const graph = (first ?? all[0])?.answer.graph;
  const counts = all.filter(({ answer }) => answer.graph === graph).map(({ answer }) => answer.part.of);
  const held = partitionsOf(together);
  return Array.from({ length: Math.max(0, ...counts) }, (_, partition) => partition).filter(
    (partition) => !held.has(partition),
  );
}

/** Those of the shards that have replied. */
export function repliesOf<T>(
  together: readonly Reply<T>[],
  replies: readonly Reply<unknown>[],
): readonly Reply<T>[] {
  const links = new Set(replies.map(({ link }) => link));
  return together.filter(({ link }) => links.has(link));
}

export function keyOf({ graph, space, fingerprint }: SpaceId): string {
  return `${graph} ${space} ${fingerprint}`;
}

export function idOf({ graph, space, fingerprint }: SpaceId): SpaceId {
  return { graph, space, fingerprint };
}
