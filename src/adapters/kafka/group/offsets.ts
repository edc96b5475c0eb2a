import type { Admin } from 'kafkajs';
import { RetryableError } from '../../../errors/errors.ts';
import { safeOffset } from '../offset.ts';

/** What a group has committed for one partition; offset -1 where it has nothing. */
export interface GroupOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly metadata: string | null;
}

const ATTEMPTS = 3;

/**
 * For every partition of topics that exist, one topic after the other: asked for several at once, kafkajs looks their
 * partitions up side by side, and an answer that knows fewer topics may come last. It then asks for none of a topic's,
 * which looks as if nothing was committed.
 * Source: kafkajs 2.2.4, `admin.fetchOffsets` and `cluster.refreshMetadata`.
 * @throws RetryableError `group-offsets` when no partitions of a topic are found.
 */
export async function groupOffsets(
  admin: Pick<Admin, 'fetchOffsets'>,
  groupId: string,
  topics: readonly string[],
): Promise<GroupOffset[]> {
  const all: GroupOffset[] = [];
  for (const topic of topics) all.push(...(await offsetsOf(admin, groupId, topic)));
  return all;
}

async function offsetsOf(
  admin: Pick<Admin, 'fetchOffsets'>,
  groupId: string,
  topic: string,
): Promise<GroupOffset[]> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const answers = await admin.fetchOffsets({ groupId, topics: [topic] });
    const partitions = answers.flatMap((answer) => answer.partitions);
    if (partitions.length === 0) continue;
    return partitions.map(({ partition, offset, metadata }) => ({
      ...{ topic, partition, offset: safeOffset(offset, topic), metadata },
    }));
  }
  throw new RetryableError(
    'group-offsets',
    `the brokers name no partitions of ${topic} for group ${groupId}`,
  );
}
