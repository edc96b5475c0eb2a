import { DEFAULT_PREFIX, type TopicDeclaration, topicName } from './declaration.ts';

const DAY_MS = 24 * 3_600_000;
/**
 * A shard that was away for less than this finds everything that was routed to it. What a shard needs from before, it reads from
 * the event topics.
 */
const RETENTION_MS = 7 * DAY_MS;

/** The name, without the prefix, of the topic in which events are routed to the shards of a graph. */
export function edgesName(graph: string): string {
  return `edges.${graph}`;
}

/**
 * The topic in which events are routed to the shards of a graph: a partition for each shard, kept for 7 days. It is internal: its
 * records are no part of the wire contract.
 */
export function edgesDeclaration(
  graph: string,
  shards: number,
  prefix: string = DEFAULT_PREFIX,
): TopicDeclaration {
  return {
    name: topicName(prefix, edgesName(graph)),
    role: 'written',
    partitions: shards,
    partitionsStay: `each partition is a shard; set graphs.${graph}.shards to the number of partitions, or delete this topic and run twhin topics apply`,
    configs: { 'cleanup.policy': 'delete', 'retention.ms': String(RETENTION_MS) },
  };
}
