import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { Admin } from '@platformatic/kafka';
import { Kafka, type Admin as KafkaAdmin, logLevel } from 'kafkajs';

const LOOK_MS = 200;
/** A producer has its answer once a commit is decided; on a busy broker the markers in the partitions may come seconds after. */
const MARKERS_MS = 10_000;

export function client(brokers: string): Kafka {
  return new Kafka({ brokers: brokers.split(','), clientId: 'apart', logLevel: logLevel.NOTHING });
}

/** Offset after the last record that readers of committed ones may get to by now, by partition. */
export function endsOf(brokers: string, topic: string): Promise<Map<number, number>> {
  return withAdmin(brokers, (admin) => endsSeenBy(admin, topic));
}

async function endsSeenBy(admin: KafkaAdmin, topic: string): Promise<Map<number, number>> {
  const offsets = await admin.fetchTopicOffsets(topic);
  return new Map(offsets.map(({ partition, high }) => [partition, Number(high)]));
}

/** The same, or undefined while the brokers can’t say: a topic this young may have no leader yet. */
export function endsOnceLed(brokers: string, topic: string): Promise<Map<number, number> | undefined> {
  return endsOf(brokers, topic).catch(() => undefined);
}

/**
 * Where the topics end once that rests, and no transaction is open in them; where they are written to, or a transaction is
 * open, all the while, as it is after some looks.
 */
export function settledEnds(
  brokers: string,
  topics: readonly string[],
): Promise<Map<string, ReadonlyMap<number, number>>> {
  return withAdmin(brokers, async (admin) => {
    const look = async () => {
      const ends = new Map<string, ReadonlyMap<number, number>>();
      for (const topic of topics) ends.set(topic, await endsSeenBy(admin, topic));
      return ends;
    };
    const until = Date.now() + MARKERS_MS;
    let ends = await look();
    for (let moved = 0; moved < 5; ) {
      await sleep(LOOK_MS);
      const before = ends;
      ends = await look();
      if (!isDeepStrictEqual(before, ends)) moved++;
      else if (Date.now() >= until || isDeepStrictEqual(ends, await writtenEnds(brokers, ends))) break;
    }
    return ends;
  });
}

/** Offset after the last record written, those of open transactions and their markers included. */
async function writtenEnds(
  brokers: string,
  topics: ReadonlyMap<string, ReadonlyMap<number, number>>,
): Promise<Map<string, ReadonlyMap<number, number>>> {
  const admin = new Admin({ clientId: 'apart', bootstrapBrokers: brokers.split(',') });
  try {
    const asked = [...topics].map(([name, partitions]) => ({
      name,
      partitions: [...partitions.keys()].map((partitionIndex) => ({ partitionIndex, timestamp: -1n })),
    }));
    const listed = await admin.listOffsets({ topics: asked, isolationLevel: 0 });
    const ends = listed.map(({ name, partitions }): [string, ReadonlyMap<number, number>] => [
      name,
      new Map(partitions.map(({ partitionIndex, offset }) => [partitionIndex, Number(offset)])),
    ]);
    return new Map(ends);
  } finally {
    await admin.close();
  }
}

/** How far a group is in a partition. */
export interface Place {
  readonly topic: string;
  readonly partition: number;
  /** -1 where it has committed nothing. */
  readonly committed: number;
  readonly end: number;
}

/** How far a group is in every partition of the topics. */
export async function committedOf(
  brokers: string,
  groupId: string,
  topics: readonly string[],
): Promise<Place[]> {
  return withAdmin(brokers, async (admin) => {
    const all: Place[] = [];
    // One topic at a time: of several at once, kafkajs may ask for none of one topic's partitions.
    for (const topic of topics) {
      const [{ partitions } = { partitions: [] }] = await admin.fetchOffsets({ groupId, topics: [topic] });
      for (const { partition, high } of await admin.fetchTopicOffsets(topic)) {
        const committed = Number(partitions.find((one) => one.partition === partition)?.offset ?? -1);
        all.push({ topic, partition, committed, end: Number(high) });
      }
    }
    return all;
  });
}

/** Partitions of the topics of which the group has not committed everything. */
export async function behind(brokers: string, groupId: string, topics: readonly string[]): Promise<Place[]> {
  const places = await committedOf(brokers, groupId, topics);
  return places.filter(({ committed, end }) => Math.max(committed, 0) < end);
}

/** Records of the topics that the group has not yet committed. */
export async function lagOf(brokers: string, groupId: string, topics: readonly string[]): Promise<number> {
  const lagging = await behind(brokers, groupId, topics);
  return lagging.reduce((lag, { committed, end }) => lag + end - Math.max(committed, 0), 0);
}

/** Partitions added to a topic, as an operator adds them. */
export async function growTopic(brokers: string, topic: string, count: number): Promise<void> {
  await withAdmin(brokers, (admin) => admin.createPartitions({ topicPartitions: [{ topic, count }] }));
}

/** Deletes the records of a partition below an offset, as retention does; all of them unless one is given. */
export async function deleteRecords(brokers: string, topic: string, partition: number, offset = '-1') {
  await withAdmin(brokers, async (admin) => {
    // Without a look at the topic first, kafkajs does not know who leads it.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset }] });
  });
}

/** What `work` gives with a client for topics and groups that is not ours. */
export async function withAdmin<T>(brokers: string, work: (admin: KafkaAdmin) => Promise<T>): Promise<T> {
  const admin = client(brokers).admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}
