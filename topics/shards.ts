import { DEFAULT_PREFIX, type TopicDeclaration, topicName, WEEK_MS } from './declaration.ts';

/** The name, without the prefix, of the topic by which the shards of a graph exchange messages. */
export function exchangeName(graph: string): string {
  return `exchange.${graph}`;
}

/** The name, without the prefix, of the topic in which events are routed to the shards of a graph. */
export function edgesName(graph: string): string {
  return `edges.${graph}`;
}

/** The topic by which the shards of a graph exchange messages. */
export function exchangeDeclaration(
  graph: string,
  shards: number,
  prefix: string = DEFAULT_PREFIX,
): TopicDeclaration {
  const stay =
    'each partition is a shard, and with another number nearly every entity would belong to another shard; ' +
    `set graphs.${graph}.shards to the number of partitions, or delete this topic and the stores of all shards, and let the graph learn its events again`;
  return betweenShards(topicName(prefix, exchangeName(graph)), shards, stay);
}

/** The topic in which events are routed to the shards of a graph. */
export function edgesDeclaration(
  graph: string,
  shards: number,
  prefix: string = DEFAULT_PREFIX,
): TopicDeclaration {
  const stay = `each partition is a shard; set graphs.${graph}.shards to the number of partitions, or delete this topic and run twhin topics apply`;
  return betweenShards(topicName(prefix, edgesName(graph)), shards, stay);
}

/**
 * A partition for each shard, kept for 7 days: a shard that was away for less finds everything that was sent to it. Once every shard has
 * read the messages, they are worth nothing: keeping them for ever would only fill the disks. It is not compacted, since a message for
 * an entity does not replace an earlier one. It is internal: its records are no part of the wire contract.
 */
function betweenShards(name: string, partitions: number, partitionsStay: string): TopicDeclaration {
  const configs = { 'cleanup.policy': 'delete', 'retention.ms': String(WEEK_MS) };
  return { name, role: 'written', partitions, partitionsStay, configs };
}
