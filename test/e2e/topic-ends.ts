import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { Kafka, logLevel } from 'kafkajs';

/** A transaction that is committed is seen once every partition has its marker, a moment after. */
const MARKERS_MS = 200;

export function client(brokers: string): Kafka {
  return new Kafka({ brokers: brokers.split(','), clientId: 'apart', logLevel: logLevel.NOTHING });
}

/** Offset after the last record that readers of committed ones may get to by now, by partition. */
export async function endsOf(brokers: string, topic: string): Promise<Map<number, number>> {
  return withAdmin(brokers, async (admin) => {
    const offsets = await admin.fetchTopicOffsets(topic);
    return new Map(offsets.map(({ partition, high }) => [partition, Number(high)]));
  });
}

/** The same, or undefined while the brokers can’t say: a topic this young may have no leader yet. */
export function endsOnceLed(brokers: string, topic: string): Promise<Map<number, number> | undefined> {
  return endsOf(brokers, topic).catch(() => undefined);
}

/** Where the topics end once that rests; where they are written to all the while, as it is after a few looks. */
export async function settledEnds(
  brokers: string,
  topics: readonly string[],
): Promise<Map<string, ReadonlyMap<number, number>>> {
  const look = async () => {
    const ends = new Map<string, ReadonlyMap<number, number>>();
    for (const topic of topics) ends.set(topic, await endsOf(brokers, topic));
    return ends;
  };
  let ends = await look();
  for (let looks = 0; looks < 5; looks++) {
    await sleep(MARKERS_MS);
    const before = ends;
    ends = await look();
    if (isDeepStrictEqual(before, ends)) break;
  }
  return ends;
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

async function withAdmin<T>(
  brokers: string,
  work: (admin: ReturnType<Kafka['admin']>) => Promise<T>,
): Promise<T> {
  const admin = client(brokers).admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}
