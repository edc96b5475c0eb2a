import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keyPartitioner } from '../../../../src/adapters/kafka/producer/partitioner.ts';
import { largestBytes } from '../../../../src/adapters/kafka/producer/record-batch.ts';
import { TopicPartitions } from '../../../../src/adapters/kafka/producer/topic-partitions.ts';
import type { Message } from '../../../../src/pipeline/ports.ts';
import { turns } from '../../../pipeline/updater-fixture.ts';
import { recordBytes } from '../batch-bytes.ts';

const topic = 'vectors';
const PARTITIONS = 3;
/** A batch without records. */
const HEAD_BYTES = 61;

function topicPartitions(): TopicPartitions {
  const partitions = Array.from({ length: PARTITIONS }, (_, partitionIndex) => ({
    ...{ errorCode: 0, partitionIndex, leaderId: 1, leaderEpoch: 0 },
    ...{ replicaNodes: [1], isrNodes: [1], offlineReplicas: [] },
  }));
  const state = { errorCode: 0, name: topic, topicId: '', isInternal: false, partitions };
  const known = { throttleTimeMs: 0, brokers: [], clusterId: null, controllerId: 1, errorCode: 0 };
  const metadata = async () => ({ ...known, topics: [{ ...state, topicAuthorizedOperations: 0 }] });
  return new TopicPartitions(topic, 'nowhere', { metadata });
}

const batched = (given: readonly Message[], partitions = topicPartitions()) =>
  Array.fromAsync(partitions.batchesOf(given));

const text = fc.oneof(fc.string({ maxLength: 60 }), fc.string({ unit: 'binary', maxLength: 60 }));
const part = fc.oneof(
  text,
  fc.uint8Array({ maxLength: 700 }).map((bytes) => Buffer.from(bytes)),
);
const message: fc.Arbitrary<Message> = fc.record({
  topic: fc.constant(topic),
  key: part,
  value: fc.oneof(fc.uint8Array({ maxLength: 700 }), fc.constant(null)),
  headers: fc.dictionary(
    text.filter((name) => name !== '__proto__'),
    part,
    { maxKeys: 9 },
  ),
});

/** The records of a batch that has these messages, as Kafka's documentation lays them out. */
const recordsOf = (messages: readonly Message[]) =>
  Buffer.concat(
    messages.map(({ key, value, headers }, at) =>
      recordBytes({
        at,
        key: key === null ? null : Buffer.from(key),
        value: value && Buffer.from(value),
        headers: Object.entries(headers).map(([name, each]) => [name, Buffer.from(each)]),
      }),
    ),
  );

describe('the batches of messages', () => {
  test('hold each message once, in order, and only messages of one partition', async () => {
    const partitions = topicPartitions();
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 60 }), async (messages) => {
        const choose = keyPartitioner();
        const expected = [...Map.groupBy(messages, ({ key }) => choose(key, PARTITIONS))];
        const others = messages.map((each) => ({ ...each, topic: 'another' }));
        const found = await batched([...others, ...messages], partitions);
        expect(found.map(({ partition, batch }) => [partition, batch.count])).toEqual(
          expected.map(([partition, of]) => [partition, of.length]),
        );
        for (const [i, { batch }] of found.entries()) {
          const bytes = batch.writer.written().subarray(HEAD_BYTES);
          expect(bytes.toString('hex')).toBe(recordsOf(expected[i]![1]).toString('hex'));
          // What comes after uses the memory again.
          partitions.acknowledged(batch);
        }
      }),
    );
  });

  test('stay below the brokers’ limit, and are not much smaller', async () => {
    const shared = { space: 'ä'.repeat(150), step: '12' };
    const messages = Array.from({ length: 6_000 }, (_, n) => ({
      ...{ topic, key: `${'é'.repeat(n % 50)}:${n}`, value: Buffer.alloc(n % 900) },
      headers: n % 3 === 0 ? { step: String(n), at: 'x'.repeat(n % 90) } : shared,
    }));
    const all = await batched(messages);
    for (const { partition, batch } of all) {
      expect(batch.writer.at).toBeLessThanOrEqual(900_000);
      if (all.findLast((each) => each.partition === partition)?.batch === batch) continue;
      expect(batch.writer.at).toBeGreaterThan(898_000);
    }
    expect(all.length).toBeGreaterThan(3);
    expect(all.reduce((sum, { batch }) => sum + batch.count, 0)).toBe(messages.length);
  });

  test('are encoded in slices, between which others have their turn', async () => {
    const messages = Array.from({ length: 5_000 }, () => ({
      topic,
      key: 'user:1',
      value: null,
      headers: {},
    }));
    const batches = batched(messages);
    expect(await Promise.race([batches, turns(1)])).toBeUndefined();
    expect((await batches).map(({ batch }) => batch.count)).toEqual([5_000]);
  });

  test('have a message that is too large alone, in its turn', async () => {
    const sizes = [10, 950_000, 20, 30, 899_900, 40];
    const messages = sizes.map((size) => ({ topic, key: 'user:1', value: Buffer.alloc(size), headers: {} }));
    const counts = (await batched(messages)).map(({ batch }) => batch.count);
    expect(counts).toEqual([1, 1, 2, 1, 1]);
  });

  test('tell the size of the largest message', () => {
    const of = (size: number) => ({ topic, key: 'ä', value: Buffer.alloc(size), headers: { step: '12' } });
    expect(largestBytes([])).toBe(0);
    // The batch's head; the record's length; attributes and two deltas; key; value; count of headers, name and value.
    expect(largestBytes([of(5), of(500), of(50)])).toBe(61 + 2 + 3 + 3 + 502 + 1 + 5 + 3);
  });
});
