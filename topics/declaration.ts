import type { EventTopic } from './topic.ts';

/** A topic as the cluster should hold it. */
export interface TopicDeclaration {
  /** With the prefix. */
  readonly name: string;
  readonly partitions: number;
  /** Kafka's topic settings, as text. */
  readonly configs: Readonly<Record<string, string>>;
}

/** What stands before every topic's name unless configured otherwise. */
export const DEFAULT_PREFIX = 'twhin.';

/** A topic's name on the cluster. */
export function topicName(prefix: string, name: string): string {
  return `${prefix}${name}`;
}

/** How an event topic is kept: whole, for its retention. */
export function eventDeclaration(topic: EventTopic, prefix: string = DEFAULT_PREFIX): TopicDeclaration {
  return {
    name: topicName(prefix, topic.name),
    partitions: topic.partitions,
    configs: { 'cleanup.policy': 'delete', 'retention.ms': String(topic.retentionMs) },
  };
}
