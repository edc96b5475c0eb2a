import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Broker, startBroker } from '../../broker/start.ts';
import { KafkaAdmin } from '../../src/adapters/kafka/admin.ts';
import { KafkaLeadership } from '../../src/adapters/kafka/group/leadership.ts';
import { KafkaSink } from '../../src/adapters/kafka/producer/sink.ts';
import { KafkaLog } from '../../src/adapters/kafka/reader/log.ts';
import type { Trouble } from '../../src/pipeline/ports.ts';
import { readTopic } from '../e2e/topic-reader.ts';
import { Collector, disorder, freshTopic, numbered, numbersOf, until } from './collector.ts';
import { publishAgain } from './publish-again.ts';

const quiet = () => undefined;
const COUNT = 60_000;

/** A broker of its own: these tests kill it. */
describe('kill -9 of the broker', () => {
  let broker: Broker;
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'twhin-faults-'));
    broker = await startBroker({ dir, env: { ...process.env, KAFKA_BROKERS: '' } });
  });
  afterAll(async () => {
    await broker?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  test('while records are produced and consumed: none is lost, none is repeated', async () => {
    const settings = { brokers: [broker.brokers], clientId: 'faults' };
    const topic = freshTopic('faults');
    const admin = new KafkaAdmin(settings);
    await admin.create([{ name: topic, partitions: 3, configs: {} }]);
    await admin.close();

    const troubles: Trouble[] = [];
    const reader = new Collector();
    const log = new KafkaLog(settings, { onTrouble: (one) => troubles.push(one) }, quiet);
    await log.follow([topic], reader);
    const group = { groupId: 'faults', topics: [topic], sessionTimeoutMs: 6000 };
    const leadership = new KafkaLeadership(settings, group, quiet);
    const lost: Error[] = [];
    await leadership.join({ position: () => undefined, failed: (error) => lost.push(error) });
    const sink = new KafkaSink(settings, { giveUpMs: 60_000 }, quiet);
    let acknowledged = 0;
    const producing = (async () => {
      // Something is always in flight, so that each kill loses the answer to a request.
      for (let n = 0; n < COUNT; n += 300) {
        const parts = [0, 100, 200].map((part) => sink.publish(numbered(topic, 100, 30, n + part)));
        await Promise.all(parts);
        acknowledged = n + 300;
      }
    })();

    for (const at of [COUNT / 4, COUNT / 2]) {
      await until(`${at} acknowledged`, () => acknowledged >= at, 90_000);
      await broker.kill();
      await sleep(1000);
      await broker.restart();
    }
    await producing;
    await until('everything', () => reader.records.length >= COUNT, 90_000);
    // This process leads through both kills, and no record follows the last one.
    await leadership.confirm({ fresh: true });
    await log.close();
    await leadership.stop();
    await sink.stop();
    expect(lost).toEqual([]);
    expect(troubles.length).toBeGreaterThan(0);
    expect(reader.records.length).toBe(COUNT);
    expect(new Set(numbersOf(reader.records)).size).toBe(COUNT);
    expect(disorder(reader.records)).toEqual([]);
    expect(reader.errors).toEqual([]);
    // The reason: through both kills, every record was written under one producer id.
    const ids = await producerIds(join(dir, 'data', `${topic}-0`, `${'0'.repeat(20)}.log`));
    expect(ids.size).toBe(1);
    expect(Math.min(...ids)).toBeGreaterThanOrEqual(0);
  });

  test('while the only publisher publishes: nothing is lost, and no key returns to an older value', async () => {
    const settings = { brokers: [broker.brokers], clientId: 'faults' };
    const [events, topic] = [freshTopic('events'), freshTopic('vectors')];
    const admin = new KafkaAdmin(settings);
    await admin.create([events, topic].map((name) => ({ name, partitions: 2, configs: {} })));
    await admin.close();
    const group = { groupId: events, topics: [events], sessionTimeoutMs: 6000 };
    const leadership = new KafkaLeadership(settings, group, quiet);
    const lost: Error[] = [];
    await leadership.join({ position: () => undefined, failed: (error) => lost.push(error) });
    const confirm = () => leadership.confirm({ fresh: true });
    const sink = new KafkaSink(settings, { giveUpMs: 60_000, fenced: { topic, id: topic, confirm } }, quiet);
    await sink.takeOver();
    const [KEYS, ROUNDS] = [100, 300];
    let done = 0;
    const publishing = (async () => {
      for (let round = 0; round < ROUNDS; round++) {
        // As with vectors: each call has each key once, and the next call has a higher number for it.
        const keys = Array.from({ length: KEYS }, (_, n) => `k${n}`);
        const value = Buffer.from(String(round));
        await publishAgain(
          sink,
          keys.map((key) => ({ topic, key, value, headers: {} })),
        );
        done = round + 1;
      }
    })();
    for (const at of [ROUNDS / 3]) {
      await until(`${at} rounds`, () => done >= at, 90_000);
      await broker.kill();
      await sleep(1000);
      await broker.restart();
    }
    await publishing;
    await sink.stop();
    await leadership.stop();
    expect(lost).toEqual([]);
    const last = new Map<string, number>();
    const seen = new Set<string>();
    for (const { key, value } of await readTopic(broker.brokers, topic)) {
      expect(Number(value)).toBeGreaterThanOrEqual(last.get(String(key)) ?? 0);
      last.set(String(key), Number(value));
      seen.add(`${key}: ${value}`);
    }
    expect(seen.size).toBe(KEYS * ROUNDS);
  });

  test('while the follower has no room: reading continues where it stopped', async () => {
    const settings = { brokers: [broker.brokers], clientId: 'faults' };
    const topic = freshTopic('held');
    const admin = new KafkaAdmin(settings);
    await admin.create([{ name: topic, partitions: 2, configs: {} }]);
    await admin.close();
    const sink = new KafkaSink(settings, {}, quiet);
    await sink.publish(numbered(topic, 2000, 10));
    await sink.stop();
    const reader = new Collector();
    reader.room = () => false;
    let answers = false;
    const log = new KafkaLog(settings, { aheadBytes: 20_000, fetchBytes: 5_000 }, quiet);
    await log.follow([topic], reader);
    await until('a run of each partition', () => reader.runs.length === 2);
    const held = reader.records.length;
    await broker.kill();
    const away = new KafkaAdmin(settings);
    await expect(away.ranges(topic)).rejects.toMatchObject({ code: 'broker-unreachable' });
    await broker.restart();
    await until(
      'a broker that answers',
      () => answers,
      undefined,
      async () => {
        answers = await away.ranges(topic).then(
          () => true,
          () => false,
        );
      },
    );
    await away.close();
    expect(reader.records.length).toBe(held);
    reader.room = () => true;
    reader.resume();
    await until('everything', () => reader.records.length >= 2000);
    await log.close();
    expect(reader.records.length).toBe(2000);
    expect(disorder(reader.records)).toEqual([]);
  });
});

/** Producer ids of the record batches in a segment; −1 means no id. In each batch, the length is at byte 8 and the id at byte 43. */
async function producerIds(segment: string): Promise<Set<number>> {
  const bytes = await readFile(segment);
  const ids = new Set<number>();
  for (
    let at = 0;
    at + 61 <= bytes.length && bytes.readInt32BE(at + 8) > 0;
    at += 12 + bytes.readInt32BE(at + 8)
  ) {
    ids.add(Number(bytes.readBigInt64BE(at + 43)));
  }
  return ids;
}
