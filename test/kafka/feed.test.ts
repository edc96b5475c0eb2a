import { Readable } from 'node:stream';
import { expect, inject, test } from 'vitest';
import { readEvents } from '../../src/adapters/event-file/event-file.ts';
import { feed } from '../../src/adapters/event-file/feeder.ts';
import { KafkaSink } from '../../src/adapters/kafka/producer/sink.ts';
import { KafkaLog } from '../../src/adapters/kafka/reader/log.ts';
import { BadEvent } from '../../src/errors/errors.ts';
import { deadLetter, engagement, readEvent, readRecord } from '../../topics/index.ts';
import { Collector, freshTopic, until } from './collector.ts';
import { makeTopic } from './make-topic.ts';

const START = 1_341_100_972;
const USERS = 50;
const EVENTS = 5000;

test('fed events are in the log in the order of each user, and every bad line is reported', async () => {
  const settings = { brokers: inject('brokers').split(','), clientId: 'test' };
  const topic = freshTopic('feed');
  await makeTopic(topic, 4);

  // Every tenth line is bad.
  const lines = Array.from({ length: EVENTS }, (_, n) =>
    n % 10 === 9
      ? `{"line":${n}`
      : `{"userId":${n % USERS},"tweetId":"t${n}","action":"like","at":${(START + n) * 1000}}`,
  );
  const sink = new KafkaSink(settings, {}, () => undefined);
  const result = await feed({
    events: readEvents('-', { stdin: Readable.from([Buffer.from(lines.join('\n'))]) }),
    keyOf: (value, timestamp) => readEvent(engagement, { value, timestamp }).key,
    sink,
    topicName: topic,
    raw: true,
  });
  expect(result).toMatchObject({ sent: EVENTS, bad: EVENTS / 10, line: EVENTS });

  const collector = new Collector();
  const log = new KafkaLog(settings, {}, () => undefined);
  await log.follow([topic], collector);
  await until('all records', () => collector.records.length >= EVENTS);
  await log.close();

  const lastAt = new Map<string, number>();
  const partitions = new Map<string, Set<number>>();
  const letters = [];
  let edges = 0;
  for (const record of collector.records) {
    try {
      for (const change of readRecord(engagement, record)) {
        const user = String(record.key);
        expect(change).toMatchObject({ lhs: `user:${user}` });
        expect(change.at).toBeGreaterThan(lastAt.get(user) ?? 0);
        lastAt.set(user, change.at);
        partitions.set(user, (partitions.get(user) ?? new Set()).add(record.partition));
        edges++;
      }
    } catch (error) {
      if (!(error instanceof BadEvent)) throw error;
      letters.push(deadLetter(record, error));
    }
  }
  expect(edges).toBe(EVENTS - EVENTS / 10);
  expect([...partitions.values()].every(({ size }) => size === 1)).toBe(true);
  expect(new Set([...partitions.values()].flatMap((set) => [...set])).size).toBe(4);
  const kept = letters.map(({ value, headers }) => [String(value), headers['code'], headers['source-topic']]);
  const expected = lines.filter((_, n) => n % 10 === 9).map((line) => [line, 'not-json', topic]);
  expect(kept.sort()).toEqual(expected.sort());
  await sink.stop();
});
