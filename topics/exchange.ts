import { DEFAULT_PREFIX, type TopicDeclaration, topicName } from './declaration.ts';

const DAY_MS = 24 * 3_600_000;
/**
 * A shard that was away for less than this finds everything that the others sent it. Once every shard has read them, the messages
 * are worth nothing: keeping them for ever would only fill the disks.
 */
const RETENTION_MS = 7 * DAY_MS;

/** The name, without the prefix, of the topic by which the shards of a graph exchange messages. */
export function exchangeName(graph: string): string {
  return `exchange.${graph}`;
}

/**
 * The topic by which the shards of a graph exchange messages: a partition for each shard, kept for 7 days. It is not compacted,
 * since a message for an entity does not replace an earlier one. It is internal: its records are no part of the wire contract.
 */
export function exchangeDeclaration(
  graph: string,
  shards: number,
  prefix: string = DEFAULT_PREFIX,
): TopicDeclaration {
  return {
    name: topicName(prefix, exchangeName(graph)),
    role: 'written',
    partitions: shards,
    partitionsStay:
      `each partition is a shard, and with another number nearly every entity would belong to another shard; set graphs.${graph}.shards ` +
      'to the number of partitions, or delete this topic and the stores of all shards, and let the graph learn its events anew',
    configs: { 'cleanup.policy': 'delete', 'retention.ms': String(RETENTION_MS) },
  };
}
