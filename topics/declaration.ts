import type { EventTopic } from './topic.ts';

/** The settings of a topic on the cluster. */
export interface TopicDeclaration {
  /** With the prefix. */
  readonly name: string;
  readonly partitions: number;
  /** Where the number of partitions must never change: why, and what to do about a topic with another number. */
  readonly partitionsStay?: string;
  /** Kafka's topic configuration, as text. */
  readonly configs: Readonly<Record<string, string>>;
}

/** The default prefix of topic names. */
export const DEFAULT_PREFIX = 'twhin.';

/** The name of a topic on the cluster. */
export function topicName(prefix: string, name: string): string {
  return `${prefix}${name}`;
}

/** An event topic: not compacted, kept for its retention. */
export function eventDeclaration(topic: EventTopic, prefix: string = DEFAULT_PREFIX): TopicDeclaration {
  return {
    name: topicName(prefix, topic.name),
    partitions: topic.partitions,
    configs: { 'cleanup.policy': 'delete', 'retention.ms': String(topic.retentionMs) },
  };
}
