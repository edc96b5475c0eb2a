import { createRequire } from 'node:module';
import type { ICustomPartitioner, Message, PartitionMetadata } from 'kafkajs';
import { expect, test } from 'vitest';
import { grouped } from '../../../../src/adapters/kafka/producer/grouped.ts';
import { keyPartitioner } from '../../../../src/adapters/kafka/producer/partitioner.ts';

interface Handed {
  readonly topic: string;
  readonly partitionMetadata: readonly PartitionMetadata[];
  readonly messages: readonly Message[];
  readonly partitioner: ReturnType<ICustomPartitioner>;
}

/** kafkajs's own. */
const group: (handed: Handed) => Record<string, Message[]> = createRequire(import.meta.url)(
  'kafkajs/src/producer/groupMessagesPerPartition.js',
);

const partitionMetadata = Array.from({ length: 3 }, (_, partitionId) => ({
  ...{ partitionErrorCode: 0, partitionId, leader: 1, replicas: [1], isr: [1] },
}));
const handed = (
  messages: readonly Message[],
  metadata: readonly PartitionMetadata[] = partitionMetadata,
) => ({
  ...{ topic: 'vectors', partitionMetadata: metadata, messages, partitioner: keyPartitioner() },
});

test.each([1, 2, 500])('%i messages of one partition are the group that kafkajs makes of them', (count) => {
  const messages = Array.from({ length: count }, (_, n) => ({ key: `user:${n}`, value: null, partition: 2 }));
  const expected = group(handed([...messages]));
  const ours = grouped(2, messages);
  const made = group(handed(ours));
  expect(made).toEqual(expected);
  expect(Object.keys(made)).toEqual(['2']);
  // Nothing was copied.
  expect(made['2']).toBe(ours);
  // Where the topic isn't known yet, kafkajs makes none.
  expect(group(handed(ours, []))).toEqual({});
});

test('nothing else about the messages has changed', () => {
  const messages = [{ key: 'user:1', value: null, partition: 2 }];
  expect(grouped(2, messages)).toBe(messages);
  expect(Object.keys(messages)).toEqual(['0']);
  expect(JSON.stringify(messages)).toBe('[{"key":"user:1","value":null,"partition":2}]');
});
