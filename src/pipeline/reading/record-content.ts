import { REASONS, type Reason } from '../../../topics/reasons.ts';
import { type RecordLimits, readRecord } from '../../../topics/record.ts';
import type { EventTopic } from '../../../topics/topic.ts';
import { BadEvent } from '../../errors/errors.ts';
import type { RecordContent, SourceRecord } from '../ports.ts';

/** A record of a topic that its graph does not read. */
const UNKNOWN_TOPIC = 'unknown-topic';

/** Every code that a record can be rejected with. */
export const REJECTIONS: readonly Rejection[] = [...REASONS, UNKNOWN_TOPIC];
export type Rejection = Reason | typeof UNKNOWN_TOPIC;

/** What a record does to the graph, or why it can't be used. topics: by full name on the log. */
export function readContent(
  record: SourceRecord,
  topics: ReadonlyMap<string, EventTopic>,
  limits: RecordLimits,
): RecordContent {
  const topic = topics.get(record.topic);
  try {
    if (topic === undefined) throw new BadEvent(UNKNOWN_TOPIC, `no topic ${record.topic} in this graph`);
    return { changes: readRecord(topic, record, limits) };
  } catch (error) {
    if (error instanceof BadEvent) return { changes: [], problem: error };
    throw error;
  }
}
