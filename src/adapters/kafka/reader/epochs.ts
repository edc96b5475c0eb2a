import { type Connection, offsetForLeaderEpochV4 } from '@platformatic/kafka';
import type { Partition } from '../../../pipeline/ports.ts';
import type { EpochEnd } from '../../agreed.ts';
import { safeOffset } from '../failure.ts';

/** A question for where a leader epoch ends, to the leader of `currentEpoch`. */
export interface EpochAsked extends Partition {
  readonly currentEpoch: number;
  readonly epoch: number;
}

const CONSUMER = -1;

/**
 * Where leader epochs end in a leader's log, in the order asked; one question for each partition.
 * @throws the broker's error, also where it leads in another epoch.
 */
export async function epochEnds(leader: Connection, asked: readonly EpochAsked[]): Promise<EpochEnd[]> {
  const request = [...Map.groupBy(asked, ({ topic }) => topic)].map(([name, partitions]) => ({
    name,
    partitions: partitions.map(({ partition, currentEpoch, epoch }) => ({
      partitionIndex: partition,
      currentLeaderEpoch: currentEpoch,
      leaderEpoch: epoch,
    })),
  }));
  const { topics } = await offsetForLeaderEpochV4.api.async(leader, CONSUMER, request);
  const ends = new Map(
    topics.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, leaderEpoch: epoch, endOffset }) => {
        return [`${topic}/${partition}`, { epoch, offset: safeOffset(endOffset, topic) }] as const;
      }),
    ),
  );
  return asked.map(({ topic, partition }) => ends.get(`${topic}/${partition}`) ?? { epoch: -1, offset: -1 });
}
