import { type RecordLimits, readRecord } from '../../../topics/record.ts';
import type { EventTopic } from '../../../topics/topic.ts';
import { BadEvent } from '../../errors.ts';
import type { RecordContent, SourceRecord } from '../ports.ts';

/** What a record does to the graph, or why it can't be used. topics: by full name on the log. */
export function readContent(
  record: SourceRecord,
  topics: ReadonlyMap<string, EventTopic>,
  limits: RecordLimits,
): RecordContent {
  const topic = topics.get(record.topic);
  try {
    if (topic === undefined) throw new BadEvent('unknown-topic', `no topic ${record.topic} in this graph`);
    return { changes: readRecord(topic, record, limits) };
  } catch (error) {
    if (error instanceof BadEvent) return { changes: [], problem: error };
    throw error;
  }
}
