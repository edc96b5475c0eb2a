import { expect, test } from 'vitest';
import { type EndlessLog, follow } from '../../src/adapters/follow.ts';
import type { PartitionRange } from '../../src/pipeline/ports.ts';
import { Collector } from '../kafka/collector.ts';

const rangeOf = (partition: number, low = 0): PartitionRange => ({ topic: 't', partition, low, high: 10 });

/** A log without records, whose topic grows from one partition to three. */
class Growing implements EndlessLog {
  /** Partitions of the readings that are open. */
  readonly open = new Set<readonly number[]>();
  /** Called before a reading of added partitions is given. */
  given = async () => {};

  ranges = async () => [rangeOf(0), rangeOf(1, 5), rangeOf(2, 5)];
  partitionCounts = async () => new Map([['t', 3]]);
  read: EndlessLog['read'] = async (stretches) => {
    const reading = stretches.map(({ partition }) => partition);
    this.open.add(reading);
    if (reading[0] !== 0) await this.given();
    const cursors = stretches.map((stretch) => ({ stretch, nextRun: async () => undefined }));
    return { cursors, close: async () => void this.open.delete(reading) };
  };
}

const followed = (log: Growing, collector: Collector, added: (range: PartitionRange) => void = () => {}) =>
  follow(log, ['t'], collector, {
    ranges: [rangeOf(0)],
    lookMs: 1,
    closing: new AbortController().signal,
    added,
  });

test('a partition that is added while the following is closed is neither read nor left open', async () => {
  const [log, collector] = [new Growing(), new Collector()];
  const [asked, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  log.given = () => {
    asked.resolve();
    return answer.promise;
  };
  const following = await followed(log, collector);
  await asked.promise;
  const closed = following.close();
  answer.resolve();
  await closed;
  expect([...log.open]).toEqual([]);
  expect(collector.runs).toEqual([]);
});

test('only added partitions that the follower reads are told and read', async () => {
  const [log, collector, told] = [new Growing(), new Collector(), Promise.withResolvers<number>()];
  collector.reads = (_, partition) => partition !== 1;
  const following = await followed(log, collector, ({ partition }) => told.resolve(partition));
  expect(await told.promise).toBe(2);
  await expect.poll(() => [...log.open]).toEqual([[0], [2]]);
  await following.close();
  expect([...log.open]).toEqual([]);
});
