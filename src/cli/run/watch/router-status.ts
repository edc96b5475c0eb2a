import type { RouterStatus } from '../../../adapters/http/status.ts';
import type { WatchedRouter } from '../../../metrics/router.ts';
import { REJECTIONS } from '../../../pipeline/reading/record-content.ts';
import type { RoutingStage } from '../../../pipeline/routing/stage.ts';

/** What the watch asks of a stage in front of shards. */
export type WatchedStage = Pick<
  RoutingStage,
  'graph' | 'counts' | 'rejections' | 'partitions' | 'retries' | 'lag' | 'unready'
>;

/** A stage as its metrics see it. */
export function watchedRouter(stage: WatchedStage): WatchedRouter {
  const { graph, counts, partitions, retries } = stage;
  return {
    graph,
    counts,
    rejectedBy: stage.rejections.byTopic(),
    rejections: REJECTIONS,
    partitions,
    retries,
    lag: () => stage.lag(),
    unready: () => stage.unready(),
  };
}

/** The state of a stage, for /api/status and /readyz. */
export function routerStatusOf(stage: WatchedStage): RouterStatus {
  const { graph, counts, partitions, retries } = stage;
  const reasons = stage.unready();
  return {
    graph,
    ready: reasons.length === 0,
    phase: partitions === undefined ? 'joining' : 'routing',
    reasons,
    partitions,
    events: counts.records,
    rejectedBy: stage.rejections.byTopic(),
    sent: counts.sent,
    sentBytes: counts.bytes,
    retries,
    lag: stage.lag().map(({ topic, partition, records }) => ({ topic, partition, records })),
  };
}
