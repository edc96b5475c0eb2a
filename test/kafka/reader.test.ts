import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { KafkaAdmin } from '../../src/adapters/kafka/admin.ts';
import { KafkaLog, type LogOptions } from '../../src/adapters/kafka/reader/log.ts';
import type { EventLog, SourceRecord, Stretch } from '../../src/pipeline/ports.ts';
import { count, drain, readerConformance, take } from '../adapters/reader-conformance.ts';
import { apart, quiet, settings } from './apart.ts';
import { Collector, freshTopic, numbersOf, until } from './collector.ts';
import { growTopic } from './make-topic.ts';

const { kafka, admin, producer } = apart();
const topics = new KafkaAdmin(settings);
const create = async (topic: string, partitions: number, configs: Record<string, string> = {}) => {
  await topics.create([{ name: topic, partitions, configs }]);
};
const write = async (topic: string, partition: number, values: readonly number[], timestamp?: number) => {
  const messages = values.map((value) => ({
    partition,
    value: String(value),
    ...(timestamp === undefined ? {} : { timestamp: String(timestamp) }),
  }));
  await producer.send({ topic, messages });
};
afterAll(() => topics.close());

for (const [name, options] of [
  ['Kafka', {}],
  // The tests' batches are larger than a fetch and than the bytes read ahead.
  ['Kafka, a few bytes at a time', { aheadBytes: 100, fetchBytes: 50 }],
] as const) {
  readerConformance(name, async () => ({
    create,
    write,
    addPartitions: async (topic, partitions) => {
      await growTopic(topic, partitions);
      await producer.disconnect();
      await producer.connect();
    },
    log: () => new KafkaLog(settings, options, quiet),
    close: async () => {},
  }));
}

describe('reading Kafka', () => {
  const readers: EventLog[] = [];
  afterAll(() => Promise.all(readers.map((reader) => reader.close())));
  const open = (options: LogOptions = {}): EventLog => {
    const reader = new KafkaLog(settings, options, quiet);
    readers.push(reader);
    return reader;
  };
  const read = async (stretch: Stretch, options: LogOptions = {}): Promise<SourceRecord[]> => {
    const reading = await open(options).read([stretch]);
    const records = await drain(reading.cursors[0]);
    await reading.close();
    return records;
  };

  test('aborted transactions are never seen, even from their middle; open ones are awaited; markers at the end are passed', async () => {
    const topic = freshTopic('transactions');
    await create(topic, 1);
    const writers = await Promise.all(
      ['a', 'b'].map(async (name) => {
        const writer = kafka.producer({
          transactionalId: `${topic}-${name}`,
          idempotent: true,
          maxInFlightRequests: 1,
        });
        await writer.connect();
        return writer;
      }),
    );
    const [a, b] = await Promise.all(writers.map((writer) => writer.transaction()));
    const send = (to: typeof a, values: number[]) =>
      to!.send({ topic, messages: values.map((value) => ({ value: String(value) })) });
    const reader = open();
    const ending = async (high: number) => {
      while ((await reader.ranges([topic]))[0]?.high !== high) await sleep(10);
    };
    await write(topic, 0, [0, 1]);
    // Interleaved, so that a fetch can begin inside both: offsets 2..7 are a a b b a b.
    await send(a, [100, 101]);
    await send(b, [200, 201]);
    await send(a, [102]);
    await send(b, [202]);
    await b!.abort();
    await a!.abort();
    // 8 and 9 are markers, which the broker writes after it has confirmed the end.
    await ending(10);
    await write(topic, 0, [10]);
    const committed = await writers[0]!.transaction();
    await send(committed, [11, 12]);

    // The range ends where committed records end: 13 and later belong to a transaction that is still open.
    expect(await open().ranges([topic])).toEqual([{ topic, partition: 0, low: 0, high: 11 }]);
    const ahead = await open().read([{ topic, partition: 0, from: 4, until: 13 }]);
    expect(numbersOf(await take(ahead.cursors[0], 1))).toEqual([10]);
    let early = true;
    const rest = drain(ahead.cursors[0]).then((records) => [early, numbersOf(records)]);
    await sleep(700);
    early = false;
    await committed.commit();
    expect(await rest).toEqual([false, [11, 12]]);
    await ahead.close();
    await ending(14);

    // 13 is the commit's marker, 14 a record, 15 the abort's.
    const last = await writers[1]!.transaction();
    await send(last, [300]);
    await last.abort();
    await ending(16);
    await Promise.all(writers.map((writer) => writer.disconnect()));
    for (const fetchBytes of [1, 1 << 20]) {
      for (const from of count(0, 17)) {
        const values = [0, 1, ...Array(8).fill(-1), 10, 11, 12, -1, -1, -1];
        expect(
          numbersOf(await read({ topic, partition: 0, from, until: 16 }, { fetchBytes })),
          `from ${from}, ${fetchBytes}`,
        ).toEqual(values.slice(from).filter((value) => value >= 0));
      }
    }
    // The log holds no further record below 16, but 17 may come.
    const beyond = await open().read([{ topic, partition: 0, from: 13, until: 17 }]);
    const late = drain(beyond.cursors[0]);
    await write(topic, 0, [16]);
    expect(numbersOf(await late)).toEqual([16]);
    await beyond.close();
  });

  test('of a compacted topic the remaining records come, read or followed, and a stretch may end in a hole', async () => {
    const topic = freshTopic('compacted');
    await create(topic, 1, {
      'cleanup.policy': 'compact',
      'min.cleanable.dirty.ratio': '0.001',
      'segment.ms': '100',
      'delete.retention.ms': '0',
    });
    // Compaction keeps the last batch of a producer with an id, without its records.
    const known = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
    await known.connect();
    const send = (by: typeof known, from: number) =>
      by.send({
        topic,
        messages: count(from, from + 20).map((n) => ({ key: `k${n % 5}`, value: String(n) })),
      });
    for (let n = 0; n < 100; n += 20) await send(producer, n);
    for (let n = 100; n < 200; n += 20) await send(known, n);
    await known.disconnect();
    for (let n = 200; n < 300; n += 20) await send(producer, n);
    const whole = { topic, partition: 0, from: 0, until: 300 };
    // All 300, or fewer where the broker's cleaner came by already.
    let left = await read(whole);
    // Compaction skips the newest segment, and only a write begins a new segment.
    let end = 300;
    await until('compaction', async () => {
      await producer.send({ topic, messages: [{ key: 'roll', value: String(end++) }] });
      left = await read(whole);
      return left.length < 100;
    });
    const collector = new Collector();
    const log = open();
    const following = await log.follow([topic], collector);
    const high = (await log.ranges([topic]))[0]?.high;
    await until('the end of the topic', () => collector.position(topic, 0)?.offset === high);
    await following.close();
    const offsets = left.map(({ offset }) => offset);
    expect(numbersOf(left)).toEqual(offsets);
    // A later pass of the broker's cleaner may have removed further records, but the last ones of their keys stay.
    expect(collector.errors).toEqual([]);
    expect(collector.records.filter(({ offset }) => offset >= 295 && offset < 300)).toEqual(left.slice(-5));
    expect(offsets.slice(-5)).toEqual([295, 296, 297, 298, 299]);
    for (const fetchBytes of [1, 1 << 20]) {
      for (const [from, upTo] of [
        [0, 50],
        [0, 199],
        [150, 250],
        [1, 294],
        [199, 201],
        [0, 298],
      ] as const) {
        await until('a read without a pass of the cleaner in it', async () => {
          const before = left;
          const some = await read({ ...whole, from, until: upTo }, { fetchBytes });
          left = await read(whole);
          if (left.length < before.length) return false;
          expect(some).toEqual(before.filter(({ offset }) => offset >= from && offset < upTo));
          return true;
        });
      }
    }
  });

  test('a topic that is deleted while it is read is named; other topics are read on', async () => {
    const [doomed, staying] = [freshTopic('doomed'), freshTopic('staying')];
    await create(doomed, 1);
    await create(staying, 1);
    const reading = await open().read(
      [doomed, staying].map((topic) => ({ topic, partition: 0, from: 0, until: Number.MAX_SAFE_INTEGER })),
    );
    await write(doomed, 0, [1]);
    expect(numbersOf(await take(reading.cursors[0], 1))).toEqual([1]);
    await admin.deleteTopics({ topics: [doomed] });
    await expect(reading.cursors[0]?.next()).rejects.toMatchObject({ code: 'topics-missing' });
    const other = kafka.producer({ idempotent: true });
    await other.connect();
    await other.send({ topic: staying, messages: [{ value: '2' }] });
    await other.disconnect();
    expect(numbersOf(await take(reading.cursors[1], 1))).toEqual([2]);
    await reading.close();
  });
});
