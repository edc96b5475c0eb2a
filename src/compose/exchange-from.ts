import { exchangeName, topicName } from '../../topics/index.ts';
import type { LogConnection } from '../adapters/connect.ts';
import type { Config } from '../config/resolve.ts';
import type { Head } from '../graph/head.ts';
import type { Shard } from '../graph/shard.ts';
import type { EventLog } from '../pipeline/ports.ts';

/**
 * From where in its partition of the exchange topic a shard reads on with a store that it has not made, as a head has it: the end now, or
 * what came from a time of the log on. What was sent before is in the vectors already, or of another training. Nothing where there is no
 * such topic.
 */
export async function exchangeFrom(
  { topicPrefix }: Config,
  { graph, index }: Shard,
  connection: LogConnection,
  reader: EventLog,
  timeMs?: number,
): Promise<Pick<Head, 'offsets' | 'topicIds'>> {
  const topic = topicName(topicPrefix, exchangeName(graph));
  const [there] = await connection.admin().describe([topic]);
  if (there === undefined) return { offsets: {}, topicIds: {} };
  const ends = await reader.ranges([topic]);
  const end = ends.find(({ partition }) => partition === index)?.high ?? 0;
  const since = timeMs === undefined ? {} : await reader.offsetsAt([topic], timeMs);
  const from = since[topic]?.[index] ?? end;
  return { offsets: { [topic]: { [index]: from } }, topicIds: await reader.topicIds([topic]) };
}
