import { topicsMissing } from '../log-errors.ts';
import { LogPartition, readTopic } from './file-log.ts';

/** A partition of a topic, and its file. */
export interface OpenPartition {
  readonly topic: string;
  readonly partition: number;
  readonly log: LogPartition;
}

/** Every partition of the topics, in the order asked, each at its start. @throws FatalError naming missing topics. */
export async function openPartitions(dir: string, topics: readonly string[]): Promise<OpenPartition[]> {
  const states = await Promise.all(topics.map((topic) => readTopic(dir, topic)));
  const missing = topics.filter((_, index) => states[index] === undefined);
  if (missing.length > 0) {
    throw topicsMissing(missing, `file:${dir}`);
  }
  return states.flatMap((state) =>
    Array.from({ length: state?.partitions ?? 0 }, (_, partition) => {
      const topic = state?.name ?? '';
      return { topic, partition, log: new LogPartition(dir, topic, partition) };
    }),
  );
}
