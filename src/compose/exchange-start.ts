import { exchangeName, topicName } from '../../topics/index.ts';
import type { LogConnection } from '../adapters/connect.ts';
import type { Config } from '../config/resolve.ts';
import type { Head } from '../graph/head.ts';
import type { Shard } from '../graph/shard.ts';
import type { EventLog } from '../pipeline/ports.ts';

/**
 * The place in the exchange topic from which a shard reads on, as its head keeps it, where another process made the shard's store. The
 * place is the present end of the shard's partition or, with `timeMs`, its first record of that time of the log or later: the store has
 * learned everything before it, or that is of another training. Empty where there is no such topic.
 */
export async function exchangeStart(
  { topicPrefix }: Config,
  { graph, index }: Shard,
  connection: LogConnection,
  reader: EventLog,
  timeMs?: number,
): Promise<Pick<Head, 'positions' | 'topicIds'>> {
  const topic = topicName(topicPrefix, exchangeName(graph));
  const [there] = await connection.admin().describe([topic]);
  if (there === undefined) return { positions: {}, topicIds: {} };
  const ends = await reader.ranges([topic]);
  const end = ends.find(({ partition }) => partition === index)?.high ?? 0;
  const since = timeMs === undefined ? {} : await reader.offsetsAt([topic], timeMs);
  const from = since[topic]?.[index] ?? end;
  return { positions: { [topic]: { [index]: { offset: from } } }, topicIds: await reader.topicIds([topic]) };
}
