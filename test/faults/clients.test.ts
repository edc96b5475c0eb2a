import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { startCluster } from '../../broker/cluster.ts';
import { connect, type LogConnection } from '../../src/adapters/connect.ts';
import { KafkaAdmin } from '../../src/adapters/kafka/admin.ts';
import { KafkaLeadership } from '../../src/adapters/kafka/group/leadership.ts';
import { KafkaSink } from '../../src/adapters/kafka/producer/sink.ts';
import { KafkaLog } from '../../src/adapters/kafka/reader/log.ts';
import { RetryableError } from '../../src/errors/errors.ts';
import type { PartitionRange, SourceRecord, StretchCursor, Trouble } from '../../src/pipeline/ports.ts';
import { take } from '../adapters/reader-conformance.ts';
import { readTopic } from '../e2e/topic-reader.ts';
import { quiet } from '../kafka/apart.ts';
import { Collector, disorder, freshTopic, numbered, numbersOf, until } from '../kafka/collector.ts';
import { ownBroker } from '../kafka/own-broker.ts';
import { publishAgain } from '../kafka/publish-again.ts';
import { seeded } from './seeded.ts';

/** Records that are produced and consumed meanwhile, and after which of them the broker is killed. */
const PRODUCED = 60_000;
/** Records that wait for a slow reader. */
const WAITING = 30_000;
const KILLED_AFTER = [1 / 4, 1 / 2];
/** Written between two moments of a cluster. */
const SLICE = 3000;

/** A broker of their own: these tests kill it. */
const own = ownBroker();

const settings = () => ({ brokers: [own.broker.brokers], clientId: 'faults' });

/** Kills the broker, and starts it again a moment later. */
async function crash(): Promise<void> {
  await own.broker.kill();
  await sleep(1000);
  await own.broker.restart();
}

/** The leader of a group on a topic, and why it lost it. */
async function leading(topic: string) {
  const group = { groupId: topic, topics: [topic], sessionTimeoutMs: 6000 };
  const leadership = new KafkaLeadership(settings(), group, quiet);
  const lost: Error[] = [];
  await leadership.join({ position: () => undefined, failed: (error) => lost.push(error) });
  return { leadership, lost };
}

async function made(stem: string, partitions: number): Promise<string> {
  const name = freshTopic(stem);
  const admin = new KafkaAdmin(settings());
  await admin.create([{ name, partitions, configs: {} }]);
  await admin.close();
  return name;
}

describe('kill -9 of the broker', () => {
  seeded('while records are produced and consumed: none is lost, none is repeated', async () => {
    const topic = await made('faults', 3);

    const troubles: Trouble[] = [];
    const reader = new Collector();
    const log = new KafkaLog(settings(), { onTrouble: (one) => troubles.push(one) }, quiet);
    await log.follow([topic], reader);
    const { leadership, lost } = await leading(topic);
    const sink = new KafkaSink(settings(), { giveUpMs: 60_000 }, quiet);
    let acknowledged = 0;
    const producing = (async () => {
      // Something is always in flight, so that each kill loses the answer to a request.
      for (let n = 0; n < PRODUCED; n += 300) {
        const parts = [0, 100, 200].map((part) => sink.publish(numbered(topic, 100, 30, n + part)));
        await Promise.all(parts);
        acknowledged = n + 300;
      }
    })();

    for (const at of KILLED_AFTER.map((share) => share * PRODUCED)) {
      await until(`${at} acknowledged`, () => acknowledged >= at);
      await crash();
    }
    await producing;
    await until('everything', () => reader.records.length >= PRODUCED);
    // This process leads through the kills, and no record follows the last one.
    await leadership.confirm();
    await log.close();
    await leadership.stop();
    await sink.stop();
    expect(lost).toEqual([]);
    expect(troubles.length).toBeGreaterThan(0);
    expect(reader.records.length).toBe(PRODUCED);
    expect(new Set(numbersOf(reader.records)).size).toBe(PRODUCED);
    expect(disorder(reader.records)).toEqual([]);
    expect(reader.errors).toEqual([]);
    // The reason: through all kills, every record was written under one producer id.
    const ids = await producerIds(join(own.dir, 'data', `${topic}-0`, `${'0'.repeat(20)}.log`));
    expect(ids.size).toBe(1);
    expect(Math.min(...ids)).toBeGreaterThanOrEqual(0);
  });

  seeded(
    'while the only publisher publishes: nothing is lost, and no key returns to an older value',
    async () => {
      const [events, topic] = [await made('events', 2), await made('vectors', 2)];
      const { leadership, lost } = await leading(events);
      const confirm = () => leadership.confirm();
      const sink = new KafkaSink(
        settings(),
        { giveUpMs: 60_000, fenced: { topics: [topic], id: topic, confirm } },
        quiet,
      );
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
      await until('a third of it', () => done >= ROUNDS / 3);
      await crash();
      await publishing;
      await sink.stop();
      await leadership.stop();
      expect(lost).toEqual([]);
      const last = new Map<string, number>();
      const seen = new Set<string>();
      for (const { key, value } of await readTopic(own.broker.brokers, topic)) {
        expect(Number(value)).toBeGreaterThanOrEqual(last.get(String(key)) ?? 0);
        last.set(String(key), Number(value));
        seen.add(`${key}: ${value}`);
      }
      expect(seen.size).toBe(KEYS * ROUNDS);
    },
  );

  seeded('while the follower has no room: reading continues where it stopped', async () => {
    const topic = await made('held', 2);
    const sink = new KafkaSink(settings(), {}, quiet);
    await sink.publish(numbered(topic, 2000, 10));
    await sink.stop();
    const reader = new Collector();
    reader.room = () => false;
    const log = new KafkaLog(settings(), { aheadBytes: 20_000, fetchBytes: 5_000 }, quiet);
    await log.follow([topic], reader);
    await until('a run of each partition', () => reader.runs.length === 2);
    const held = reader.records.length;
    await own.broker.kill();
    const away = new KafkaAdmin(settings());
    await expect(away.ranges(topic)).rejects.toMatchObject({ code: 'broker-unreachable' });
    await own.broker.restart();
    await until('a broker that answers', () =>
      away.ranges(topic).then(
        () => true,
        () => false,
      ),
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

describe('kill -9 of the broker under a reader', () => {
  let log: LogConnection;
  beforeAll(async () => {
    log = await connect({ brokers: [own.broker.brokers], clientId: 'reader-faults' });
  });
  afterAll(() => log?.close());

  seeded('cursors wait, report, and continue where they stopped: no record is lost or repeated', async () => {
    const topic = await made('faults', 3);
    const sink = log.sink({ giveUpMs: 60_000 });
    for (let n = 0; n < WAITING; n += 3000) await sink.publish(numbered(topic, 3000, 30, n));
    const troubles: Trouble[] = [];
    const reader = log.log({
      aheadBytes: 30_000,
      fetchBytes: 15_000,
      onTrouble: (one) => troubles.push(one),
    });
    const ranges = await reader.ranges([topic]);
    expect(ranges.reduce((sum, { high }) => sum + high, 0)).toBe(WAITING);
    const tail = Number.MAX_SAFE_INTEGER;
    const reading = await reader.read(
      ranges.map(({ partition, low }) => ({ topic, partition, from: low, until: tail })),
    );

    const records: SourceRecord[] = [];
    let down = false;
    const read = async (cursor: StretchCursor) => {
      for (;;) {
        records.push(...((await cursor.next()) ?? []));
        // As slow as training, so that the kills come in the middle.
        if (!down) await sleep(5);
      }
    };
    const reads = reading.cursors.map((cursor) => read(cursor).catch((error: unknown) => error));
    for (const at of KILLED_AFTER.map((share) => share * WAITING)) {
      await until(`${at} records`, () => records.length >= at);
      down = true;
      const before = troubles.length;
      await own.broker.kill();
      await until('a report', () => troubles.length > before + 1);
      await expect(reader.ranges([topic])).rejects.toMatchObject({ code: 'broker-unreachable' });
      down = false;
      await own.broker.restart();
    }
    await until('all that was there', () => records.length >= WAITING);
    // At the end of the log, the reader waits through a third kill.
    await own.broker.kill();
    await own.broker.restart();
    await sink.publish(numbered(topic, 300, 30, WAITING));
    await sink.stop();
    await until('what came later', () => records.length >= WAITING + 300);
    await reader.close();
    for (const error of await Promise.all(reads)) expect(error).toMatchObject({ code: 'stopped' });

    expect(records.length).toBe(WAITING + 300);
    expect(new Set(numbersOf(records)).size).toBe(WAITING + 300);
    expect(disorder(records)).toEqual([]);
    expect(troubles[0]).toMatchObject({ brokers: own.broker.brokers, attempt: 1 });
    expect(troubles[1]).toMatchObject({ attempt: 2, since: troubles[0]?.since });
  });

  seeded('closed while the broker is away, a waiting call fails with `stopped`', async () => {
    const topic = await made('closed', 1);
    const sink = log.sink();
    await sink.publish(numbered(topic, 1, 1));
    await sink.stop();
    const troubles: Trouble[] = [];
    const reader = log.log({ onTrouble: (one) => troubles.push(one) });
    const reading = await reader.read([{ topic, partition: 0, from: 0, until: 2 }]);
    expect((await take(reading.cursors[0], 1)).length).toBe(1);
    const waiting = reading.cursors[0]?.next().catch((error: unknown) => error);
    await own.broker.kill();
    await until('a report', () => troubles.length > 0);
    await reading.close();
    expect(await waiting).toMatchObject({ code: 'stopped' });
    await reader.close();
    await own.broker.restart();
  });
});

seeded(
  'while each of three brokers is killed in turn, reading follows the leaders: no record is lost or repeated',
  async () => {
    const cluster = await startCluster({ dir: join(own.dir, 'cluster') });
    try {
      const log = await connect({ brokers: cluster.brokers.split(','), clientId: 'reader-cluster' });
      const topic = freshTopic('cluster');
      await log.admin().create([{ name: topic, partitions: 6, configs: {} }]);
      const sink = log.sink({ giveUpMs: 60_000 });
      const reader = log.log({ aheadBytes: 60_000, fetchBytes: 20_000 });
      let ranges: PartitionRange[] = [];
      // A broker may not know a partition yet that it has just begun to lead.
      await until('leaders that know it', async () => {
        ranges = await reader.ranges([topic]).catch((error: unknown) => {
          if (error instanceof RetryableError) return [];
          throw error;
        });
        return ranges.length === 6;
      });
      const reading = await reader.read(
        ranges.map(({ partition }) => ({ topic, partition, from: 0, until: Number.MAX_SAFE_INTEGER })),
      );
      const records: SourceRecord[] = [];
      const reads = reading.cursors.map(async (cursor) => {
        for (let some = await cursor.next(); some !== undefined; some = await cursor.next())
          records.push(...some);
      });
      const ends = Promise.allSettled(reads);
      let written = 0;
      const write = async () => {
        await sink.publish(numbered(topic, SLICE, 60, written));
        written += SLICE;
      };
      await write();
      for (const node of cluster.nodes) {
        await node.kill();
        // Read while this broker is away: its partitions have other leaders.
        await write();
        await until('what was written meanwhile', () => records.length === written);
        await node.restart();
        await write();
        await until('what was written after', () => records.length === written);
      }
      await sink.stop();
      await reader.close();
      for (const end of await ends) {
        expect(end).toMatchObject({ status: 'rejected', reason: { code: 'stopped' } });
      }
      await log.close();
      expect(records.length).toBe(7 * SLICE);
      expect(new Set(numbersOf(records)).size).toBe(7 * SLICE);
      expect(disorder(records)).toEqual([]);
    } finally {
      await cluster.stop();
    }
  },
);

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
