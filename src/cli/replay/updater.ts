import { topicName } from '../../../topics/index.ts';
import { threadTrainer } from '../../adapters/trainer/thread.ts';
import type { GraphConfig } from '../../config/resolve.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import { reproducible } from '../../kernels/select.ts';
import type { Log } from '../../log.ts';
import type { EventLog, Sink, Stretch } from '../../pipeline/ports.ts';
import { readContent } from '../../pipeline/reading/record-content.ts';
import { soleLeadership } from '../../pipeline/sole-leadership.ts';
import { Updater } from '../../pipeline/updater.ts';
import { type Limit, MergedLog } from '../../replay/merged-log.ts';
import { cpuLimit, processCpuMs, type ReplayPaceOptions, rateLimit } from './pace.ts';
import type { ReplayRecord } from './record.ts';
import type { ReplayRequest } from './request.ts';

/** Records wait in the merge, where they can be held to a pace; little waits behind it. */
const QUEUE_BYTES = 1024 * 1024;

/** A replay's updater, and what is seen of it from outside. */
export interface ReplayParts {
  readonly updater: Updater;
  readonly merged: MergedLog;
  /** Records that can't be used, by reason, since this process began. */
  readonly rejected: ReadonlyMap<string, number>;
}

/** An ordinary updater whose records come merged, and whose batches and commits are cut by count alone. */
export function composeReplay(
  {
    config,
    graph,
    publish,
    options,
  }: Pick<ReplayRequest, 'config' | 'graph' | 'publish'> & { options: ReplayPaceOptions },
  { range, topicIds, space }: Pick<ReplayRecord, 'topicIds' | 'space'> & { range: readonly Stretch[] },
  { reader, store, sink, log }: { reader: EventLog; store: GraphStore; sink: Sink | undefined; log: Log },
): ReplayParts {
  const topics = new Map(graph.topics.map((topic) => [topicName(config.topicPrefix, topic.name), topic]));
  const rejected = new Map<string, number>();
  const limits: Limit[] = [];
  if (options.rate !== undefined) limits.push(rateLimit(options.rate, Date.now));
  if (options.cpuShare !== undefined) limits.push(cpuLimit(options.cpuShare, Date.now, processCpuMs));
  const merged = new MergedLog({
    log: reader,
    stretches: range,
    topicIds,
    read: (each) => ({ ...each, content: readContent(each, topics, config.limits) }),
    limits,
  });
  // Unpublished, a vector's drift decides nothing: no row is written for having moved.
  const unpublished = { epsilon: Number.MAX_VALUE, maxAgeMs: Number.MAX_VALUE };
  const updater = new Updater({
    graph: graph.name,
    role: 'shadow',
    freshSpace: space,
    reader,
    model: graph.model,
    tuning: {
      ...config.tuning,
      ...(sink ? {} : unpublished),
      lingerMs: Number.POSITIVE_INFINITY,
      commitMs: Number.POSITIVE_INFINITY,
      rowsPerEdge: rowsPerEdge(graph.trainer),
      queueBytes: Math.min(config.tuning.queueBytes, QUEUE_BYTES),
    },
    limits: config.limits,
    topics,
    embeddingsTopic: publish ?? '',
    eventLog: merged,
    leadership: soleLeadership,
    sink: sink ?? NOWHERE,
    store,
    // A digest is to be the same on every machine.
    trainer: threadTrainer(
      { ...graph.trainer, kernel: reproducible(graph.trainer.kernel), threads: 1 },
      config.state,
    ),
    deadLetter: (_, { code }) => {
      rejected.set(code, (rejected.get(code) ?? 0) + 1);
      return undefined;
    },
    clock: Date.now,
    log,
  });
  return { updater, merged, rejected };
}

/** Its ends and its share of its chunk's uniform negatives, on both sides, with each update. */
function rowsPerEdge({ updatesPerEdge, uniformNegatives, chunkEdges }: GraphConfig['trainer']): number {
  return updatesPerEdge * (2 + (2 * uniformNegatives) / chunkEdges);
}

const NOWHERE: Sink = { publish: async () => {}, takeOver: async () => {}, stop: async () => {} };
