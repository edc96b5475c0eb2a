import { createHash } from 'node:crypto';
import { FatalError } from '../errors/errors.ts';
import type { Shard } from '../graph/shard.ts';
import { patiently } from '../pipeline/patience.ts';
import type { EventLog } from '../pipeline/ports.ts';
import { eachRecord } from '../pipeline/reading/bounded.ts';

/** Offsets at the end of a partition among which its newest parcel is looked for: each transaction has a marker beside its parcels. */
const TAIL = 64;

/**
 * What all shards of a graph agree on before any of them reads: that the exchange topic and the edges topic have a partition for each, and the name
 * of the space that they train together. That is the one in which the newest parcel was sent: shards that run may have it from a reshard or a promotion.
 * Where there is none, the name is made of the topic's id. Waits while the log is out of reach.
 * @throws FatalError `shards`, RetryableError `stopped`.
 */
export async function agree(
  log: Pick<EventLog, 'ranges' | 'topicIds' | 'read'>,
  [exchange, edges]: readonly [exchange: string, edges: string],
  shard: Shard,
  stopping: AbortSignal,
): Promise<string> {
  for (const topic of [exchange, edges]) await refuseOtherCount(log, topic, shard, stopping);
  const ids = await patiently(() => log.topicIds([exchange]), stopping);
  const inUse = await patiently(() => newestSpace(log, exchange), stopping);
  if (inUse !== undefined) return inUse;
  return createHash('sha256')
    .update(`${exchange}\n${ids[exchange] ?? ''}`)
    .digest('hex')
    .slice(0, 16);
}

/** The space of the newest parcel in the topic, by the log's time. */
async function newestSpace(
  log: Pick<EventLog, 'ranges' | 'read'>,
  topic: string,
): Promise<string | undefined> {
  const tails = (await log.ranges([topic]))
    .map(({ partition, low, high }) => ({ topic, partition, from: Math.max(low, high - TAIL), until: high }))
    .filter(({ from, until }) => from < until);
  let newest: { readonly space: string; readonly timestamp: number } | undefined;
  await eachRecord(log, tails, (records) => {
    for (const { headers, timestamp } of records) {
      const space = headers?.['space']?.toString();
      if (space !== undefined && timestamp >= (newest?.timestamp ?? 0)) newest = { space, timestamp };
    }
  });
  return newest?.space;
}

async function refuseOtherCount(
  log: Pick<EventLog, 'ranges'>,
  topic: string,
  { graph, count }: Shard,
  stopping: AbortSignal,
): Promise<void> {
  const partitions = (await patiently(() => log.ranges([topic]), stopping)).length;
  if (partitions !== count) {
    throw new FatalError(
      'shards',
      `${topic} has ${partitions} partitions, and graphs.${graph}.shards is ${count}: a partition is a shard. Set the number back to ${partitions}; ` +
        `or, where twhin reshard has made the stores of ${count} shards, delete ${topic} and run twhin topics apply`,
    );
  }
}
