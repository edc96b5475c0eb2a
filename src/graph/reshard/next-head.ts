import { FatalError } from '../../errors/errors.ts';
import type { Head } from '../head.ts';
import type { Shard } from '../shard.ts';

/** What the new stores are to be. */
export interface NextShards {
  /** The graph's new shards, in their order, or the whole graph. */
  readonly graphs: readonly { readonly name: string; readonly shard?: Shard }[];
  /** Full names of the topics with a partition for each shard. A new number of shards has new ones. */
  readonly internalTopics: readonly string[];
  /** Name for the run of each new shard; random, so that each is unique. */
  readonly runs: readonly string[];
}

/** The parts of a new store's head that do not count what is in it. */
export type NextHead = Omit<Head, 'rows' | 'edges' | 'entities' | 'shard'>;

/**
 * The head of new store `index`. Event topics are read on from the least offset of the present stores: what some of them have read
 * already changes no edge. A partition that one of them has not read is read from its start.
 *
 * - `step` is the highest, and published steps go on above all that any present store has published.
 * - `events` is that of the store which was sent the least: an event that two shards were sent is counted in both, so that a sum says nothing.
 * - A random state is used again where there are more stores than before: the shards draw for rows of their own.
 *
 * @throws FatalError `reshard` where the present stores are not of one training.
 */
export function nextHead(heads: readonly Head[], next: NextShards, index: number): NextHead {
  const [first] = heads;
  if (first === undefined) throw new FatalError('store-missing', 'there is no store to make others from');
  const step = Math.max(...heads.map((head) => head.step));
  const published = Math.max(...heads.map((head) => head.stepBase + head.step));
  return {
    format: first.format,
    graph: next.graphs[index]!.name,
    model: first.model,
    step,
    random: [...heads[index % heads.length]!.random],
    freed: [],
    positions: leastPositions(heads, next.internalTopics),
    commit: 1,
    checkpoint: 1,
    relations: first.relations,
    outbox: 0,
    events: { ...heads.reduce((a, b) => (b.events.consumed < a.events.consumed ? b : a)).events },
    watermark: Math.max(...heads.map(({ watermark }) => watermark)),
    epoch: Math.max(...heads.map(({ epoch }) => epoch)),
    space: spaceOf(heads),
    stepBase: Math.max(...heads.map(({ stepBase }) => stepBase), published + 1 - step),
    topicIds: topicIdsOf(heads, next.internalTopics),
  };
}

function leastPositions(heads: readonly Head[], internalTopics: readonly string[]): Head['positions'] {
  const positions: Head['positions'] = {};
  for (const [topic, partitions] of Object.entries(heads[0]?.positions ?? {})) {
    if (internalTopics.includes(topic)) continue;
    const least: Head['positions'][string] = {};
    for (const partition of Object.keys(partitions)) {
      const all = heads.map((head) => head.positions[topic]?.[partition]);
      const known = all.filter((position) => position !== undefined);
      if (known.length === all.length)
        least[partition] = known.reduce((a, b) => (b.offset < a.offset ? b : a));
    }
    positions[topic] = least;
  }
  return positions;
}

function spaceOf(heads: readonly Head[]): string {
  const spaces = [...new Set(heads.map(({ space }) => space))];
  if (spaces.length === 1) return spaces[0]!;
  throw new FatalError(
    'reshard',
    `the stores are of different spaces, so that their vectors can't be compared: ${heads.map(({ graph, space }) => `${graph} of ${space || 'none'}`).join(', ')}. ` +
      'Restore those that differ from a backup, or with twhin restore --from-topic',
  );
}

function topicIdsOf(heads: readonly Head[], internalTopics: readonly string[]): Head['topicIds'] {
  const ids: Record<string, string> = {};
  for (const { graph, topicIds } of heads) {
    for (const [topic, id] of Object.entries(topicIds)) {
      if (internalTopics.includes(topic)) continue;
      const known = ids[topic];
      if (known !== undefined && known !== id) {
        throw new FatalError(
          'reshard',
          `${topic} was deleted and recreated, and not all stores have read the new one: ${graph} knows it as ${id}, another store ` +
            `as ${known}. Run all shards with twhin run --reread ${topic} first`,
        );
      }
      ids[topic] = id;
    }
  }
  return ids;
}
