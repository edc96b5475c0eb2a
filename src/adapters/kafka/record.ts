import type { KafkaMessage } from 'kafkajs';
import type { SourceRecord } from '../../pipeline/ports.ts';
import { safeOffset } from './offset.ts';

/** A message of kafkajs as a record of ours; of a header that comes twice, the last; one that is null is left out. */
export function recordOf(topic: string, partition: number, message: KafkaMessage): SourceRecord {
  const headers = Object.entries(message.headers ?? {}).flatMap(([name, value]) => {
    const last = Array.isArray(value) ? value.at(-1) : value;
    // What kafkajs's types leave out: a header may be null.
    return typeof last === 'string' || Buffer.isBuffer(last) ? [[name, Buffer.from(last)] as const] : [];
  });
  return {
    topic,
    partition,
    offset: safeOffset(message.offset, topic),
    timestamp: Number(message.timestamp),
    key: message.key,
    value: message.value,
    ...(headers.length === 0 ? {} : { headers: Object.fromEntries(headers) }),
  };
}
