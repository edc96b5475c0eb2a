import type { EventTopic, Retention, TopicNames } from './topic.ts';

/** The settings of a topic on the cluster. */
export interface TopicDeclaration {
  /** On the cluster. */
  readonly name: string;
  /**
   * `written`: we write it, and keep it as declared. `events`: others write it; it is created where it is missing, and never
   * changed. `named`: as `events`, but it is created only where an operator asks for it by its name.
   */
  readonly role: 'written' | 'events' | 'named';
  /** The topic's records erase entities: a replay needs them for as long as there are events. */
  readonly erasures?: true;
  readonly partitions: number;
  /** Where the number of partitions must never change: why, and what to do about a topic with another number. */
  readonly partitionsStay?: string;
  /** Kafka's topic configuration, as text. */
  readonly configs: Readonly<Record<string, string>>;
}

/** The default prefix of topic names. */
export const DEFAULT_PREFIX = 'twhin.';

/** The name on the cluster of a topic that we write. */
export function topicName(prefix: string, name: string): string {
  return `${prefix}${name}`;
}

/** The name of an event topic on the cluster. */
export function fullName(prefix: string, { name, topic }: TopicNames): string {
  return topic ?? topicName(prefix, name);
}

/** The topic that a person named: by its name in the configuration, or by its full name. */
export function topicNamed<T extends TopicNames>(
  prefix: string,
  topics: readonly T[],
  named: string,
): T | undefined {
  return (
    topics.find(({ name }) => name === named) ?? topics.find((topic) => fullName(prefix, topic) === named)
  );
}

/** An event topic: not compacted, kept for its retention. retention: of a topic whose definition says nothing. */
export function eventDeclaration(
  topic: EventTopic,
  prefix: string = DEFAULT_PREFIX,
  retention: Retention = WEEK_MS,
): TopicDeclaration {
  const kept = topic.retentionMs ?? retention;
  return {
    name: fullName(prefix, topic),
    role: topic.topic === undefined ? 'events' : 'named',
    ...(topic.name === ERASURE && { erasures: true }),
    partitions: topic.partitions,
    configs: {
      'cleanup.policy': 'delete',
      'retention.ms': kept === 'unlimited' ? UNLIMITED : String(kept),
    },
  };
}

/** The name in the configuration of the topic with erasures. */
export const ERASURE = 'erasure';
/** How long event topics are kept unless said. */
export const WEEK_MS = 7 * 24 * 3_600_000;
/** Kafka's number for a retention without end. */
export const UNLIMITED = '-1';
