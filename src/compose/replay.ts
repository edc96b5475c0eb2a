import type { Config, GraphConfig } from '../config/resolve.ts';
import type { GraphStore } from '../graph/graph-store.ts';
import { shardOf } from '../graph/shard.ts';
import { reproducible } from '../kernels/select.ts';
import type { Log } from '../log.ts';
import type { Measures } from '../pipeline/measures.ts';
import { alone } from '../pipeline/neighbours.ts';
import type { ReadableLog, Sink, Stretch } from '../pipeline/ports.ts';
import { readContent } from '../pipeline/reading/record-content.ts';
import { soleLeadership } from '../pipeline/sole-leadership.ts';
import type { Trainer, TrainerSettings } from '../pipeline/training/trainer.ts';
import type { Updater } from '../pipeline/updater.ts';
import { type Limit, MergedLog } from '../replay/merged-log.ts';
import type { ShardMeeting } from '../shards/meeting.ts';
import { ShardNeighbourhood } from '../shards/neighbourhood.ts';
import { type OpenOptions, openForWriting } from '../state/open.ts';
import { composeUpdater, topicsOf } from './graph-updater.ts';
import { cpuLimit, processCpuMs, type ReplayPaceOptions, rateLimit } from './pace.ts';

/** Records wait in the merge, where they can be held to a pace; little waits behind it. */
const QUEUE_BYTES = 1024 * 1024;

/**
 * Shards in one process merge their relation vectors by count alone. What one sends reaches the others at once, so that a copy
 * without a vector is asked for soon, and nobody has to say that it lives.
 */
const PACE = {
  mergeEdges: 2_000,
  mergeMs: Number.POSITIVE_INFINITY,
  quietMs: Number.POSITIVE_INFINITY,
  wantMs: 50,
};

/** What a replay reads and writes. */
export interface ReplayOptions {
  readonly log: Log;
  readonly pace: ReplayPaceOptions;
  /** The log that is read; whoever made it closes it. */
  readonly eventLog: ReadableLog;
  readonly range: readonly Stretch[];
  readonly topicIds: Readonly<Record<string, string>>;
  /** Name of its run of training. */
  readonly space: string;
  readonly store: GraphStore;
  /** Where vectors and relation vectors go; absent: nowhere. */
  readonly published?:
    | { readonly topic: string; readonly modelTopic: string; readonly sink: Sink }
    | undefined;
  /** Where it reports its work; absent: nowhere. */
  readonly measures?: Measures | undefined;
  /** Where it meets the other shards of its graph; given where the graph is cut. */
  readonly meeting?: ShardMeeting | undefined;
  /** Makes its trainer; absent: one in a thread of its own. */
  readonly trainerOf?: ((settings: TrainerSettings) => Trainer) | undefined;
}

/** A replay's updater, and what is seen of it from outside. */
export interface Replaying {
  readonly updater: Updater;
  readonly merged: MergedLog;
  /** Records that can't be used, by reason, since this process began. */
  readonly rejected: ReadonlyMap<string, number>;
}

/** An ordinary updater whose records come merged, and whose batches and commits are cut by count alone. */
export function composeReplay(
  config: Config,
  graph: GraphConfig,
  {
    log,
    pace,
    eventLog,
    range,
    topicIds,
    space,
    store,
    published,
    measures,
    meeting,
    trainerOf,
  }: ReplayOptions,
): Replaying {
  const topics = topicsOf(config, graph);
  const rejected = new Map<string, number>();
  const limits: Limit[] = [];
  if (pace.rate !== undefined) limits.push(rateLimit(pace.rate, Date.now));
  if (pace.cpuShare !== undefined) limits.push(cpuLimit(pace.cpuShare, Date.now, processCpuMs));
  const merged = new MergedLog({
    log: eventLog,
    stretches: range,
    topicIds,
    read: (record) =>
      record.content ? record : { ...record, content: readContent(record, topics, config.limits) },
    limits,
  });
  const { shard } = graph;
  // Unpublished, a vector's drift decides nothing: no row is written for having moved.
  const unpublished = { epsilon: Number.MAX_VALUE, maxAgeMs: Number.MAX_VALUE };
  const updater = composeUpdater(
    config,
    graph,
    {
      role: 'shadow',
      freshSpace: space,
      eventLog: shard && meeting ? meeting.log(shard.index, merged) : merged,
      leadership: soleLeadership,
      reader: eventLog,
      embeddingsTopic: published?.topic ?? '',
      modelTopic: published && { name: published.modelTopic, beta: graph.trainer.model.beta },
      neighbourhood:
        shard && meeting
          ? new ShardNeighbourhood({ shard, topic: meeting.topic, pace: PACE, freshRun: space })
          : alone,
      sink: published?.sink ?? (shard && meeting?.sink((key) => shardOf(key, shard.count))) ?? NOWHERE,
      store,
      tuning: {
        ...config.tuning,
        ...(published ? {} : unpublished),
        lingerMs: Number.POSITIVE_INFINITY,
        commitMs: Number.POSITIVE_INFINITY,
        rowsPerEdge: rowsPerEdge(graph.trainer),
        // Shards in step have no record waiting that another has not got.
        queueBytes: meeting ? 1 : Math.min(config.tuning.queueBytes, QUEUE_BYTES),
      },
      deadLetter: (_, { code }) => {
        rejected.set(code, (rejected.get(code) ?? 0) + 1);
        return undefined;
      },
      log,
      trainerOf,
      ...(measures && { measures }),
    },
    // The digest of a replay is the same on every machine.
    { ...graph.trainer, kernel: reproducible(graph.trainer.kernel), threads: 1 },
  );
  return { updater, merged, rejected };
}

/** {@link composeReplay} on the store in a place, which is opened for it. */
export async function composeReplayAt(
  config: Config,
  graph: GraphConfig,
  at: OpenOptions,
  options: Omit<ReplayOptions, 'store'>,
): Promise<Replaying> {
  const store = await openForWriting(graph, at);
  try {
    return composeReplay(config, graph, { ...options, store });
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Both ends of an edge and its share of its chunk's uniform negatives, on both sides, with each update. */
function rowsPerEdge(trainer: GraphConfig['trainer']): number {
  const { updatesPerEdge, uniformNegatives, chunkEdges } = trainer;
  return updatesPerEdge * (2 + (2 * uniformNegatives) / chunkEdges);
}

const NOWHERE: Sink = { publish: async () => {}, takeOver: async () => {}, stop: async () => {} };
