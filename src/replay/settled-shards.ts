import { FatalError } from '../errors/errors.ts';
import type { GraphStore } from '../graph/graph-store.ts';
import type { Head } from '../graph/head.ts';
import { relationRows } from '../graph/reshard/merged-graph.ts';
import { WriteBatch } from '../graph/store.ts';
import type { PartitionRange } from '../pipeline/ports.ts';

/** Where a topic ends, by partition, and its id on logs that have ids. */
export interface TopicEnds {
  readonly topic: string;
  readonly id: string | undefined;
  readonly ends: readonly PartitionRange[];
}

/**
 * Makes the stores of shards that were trained in one process what shards on a log can go on from. Relations get the rows of the first
 * shard, as in `twhin reshard`. Copies stay as they are: at their first use their owners send them, and an empty one asks. Runs and
 * received ranges stay as well: they tell gradients of these stores apart from then on.
 *
 * meeting: the topic in which the shards met, which is on no log. exchange: the topic in which they are to meet; each shard reads
 * it from its end. All that is there now was sent in another training, and whatever else such senders still write is passed over for
 * its space; absent: each shard reads the topic from its start.
 */
export async function settleShards(
  stores: readonly GraphStore[],
  meeting: string,
  exchange: TopicEnds | undefined,
): Promise<void> {
  const relations = await relationRows(stores[0]!);
  for (const [shard, store] of stores.entries()) {
    const batch = new WriteBatch();
    for (const { key, value } of relations) batch.put(key, value);
    await store.entries.write(batch);
    const head = await store.head();
    if (head === undefined)
      throw new FatalError('replay-store', `shard ${shard} holds no commit; replay again with --restart`);
    await store.commit({ head: settledHead(head, shard, meeting, exchange) });
  }
}

function settledHead(head: Head, shard: number, meeting: string, exchange: TopicEnds | undefined): Head {
  const { [meeting]: _met, ...offsets } = head.offsets;
  if (exchange === undefined) return { ...head, offsets };
  const { topic, id, ends } = exchange;
  const end = ends.find(({ partition }) => partition === shard)?.high ?? 0;
  return {
    ...head,
    offsets: { ...offsets, [topic]: { [shard]: end } },
    topicIds: { ...head.topicIds, ...(id !== undefined && { [topic]: id }) },
  };
}
