import { silentLog } from '../../src/log.ts';
import type { WatchedRouter } from '../../src/metrics/families.ts';
import type { ServedSnapshot } from '../../src/metrics/serving.ts';
import { Rejections } from '../../src/pipeline/rejections.ts';

/** A served graph. */
export const SERVED: ServedSnapshot = {
  graph: 'g',
  caughtUp: true,
  lag: 3,
  staleSince: undefined,
  skipped: 2,
  refused: 1,
  rejected: 5,
  vectors: { user: 5, tweet: 7 },
  bytes: 4_096,
  spaces: 1,
  edges: 11,
  forgotten: 4,
};

/** A router of the cut graph `follow`, which has rejected nothing yet. */
export const routerOf = () =>
  ({
    graph: 'follow',
    counts: { records: 31, sent: 44, bytes: 900 },
    rejections: new Rejections({ graph: 'follow', topics: ['twhin.follow'], log: silentLog, clock: () => 0 }),
    codes: ['not-json', 'empty-id'],
    retries: 3,
    partitions: 2,
    lag: () => [
      { topic: 'twhin.follow', partition: 1, records: 9, seconds: 4.5 },
      { topic: 'twhin.follow', partition: 2, records: 3, seconds: undefined },
    ],
    unready: () => [],
  }) satisfies WatchedRouter;
