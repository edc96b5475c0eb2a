import { exchangeName } from '../../topics/index.ts';
import type { Config, GraphConfig } from '../config/resolve.ts';
import type { GraphStore } from '../graph/graph-store.ts';
import { graphOf, shardOf } from '../graph/shard.ts';
import { reproducible } from '../kernels/select.ts';
import type { Log } from '../log.ts';
import type { Measures } from '../pipeline/measures.ts';
import { alone } from '../pipeline/neighbours.ts';
import type { ReadableLog, Sink, Stretch } from '../pipeline/ports.ts';
import { readContent } from '../pipeline/reading/record-content.ts';
import { soleLeadership } from '../pipeline/sole-leadership.ts';
import type { Trainer, TrainerSettings } from '../pipeline/training/trainer.ts';
import type { Updater } from '../pipeline/updater.ts';
import { MergedLog } from '../replay/merged-log.ts';
import { recordsIn } from '../replay/range.ts';
import { ShardMeeting } from '../shards/meeting.ts';
import { ShardNeighbourhood } from '../shards/neighbourhood.ts';
import { composeUpdater, topicsOf } from './graph-updater.ts';
import { kernelOf } from './wide.ts';

/** Records wait as bytes before the merge; a thousand wait behind it, which is a batch: the garbage collector copies what waits as objects. */
const QUEUE_BYTES = 256 * 1024;

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

/** Time between two reports of the progress. */
const TELL_MS = 1_000;

/** What a replay reads and writes. */
export interface ReplayOptions {
  readonly log: Log;
  /** The log that is read; whoever made it closes it. */
  readonly eventLog: ReadableLog;
  readonly range: readonly Stretch[];
  readonly topicIds: Readonly<Record<string, string>>;
  /** Name of its run of training. */
  readonly space: string;
  /** One for each part, in their order. The updater closes it. */
  readonly stores: readonly GraphStore[];
  /** Where vectors and relation vectors go; absent: nowhere. */
  readonly published?:
    | { readonly topic: string; readonly modelTopic: string; readonly sink: Sink }
    | undefined;
  /** Where it reports its work; absent: nowhere. */
  readonly measures?: Measures | undefined;
  /** Makes the trainer of each part; absent: one in a thread of its own. */
  readonly trainerOf?: ((settings: TrainerSettings) => Trainer) | undefined;
}

/** A replay's updater, and what is seen of it from outside. */
export interface Replaying {
  readonly updater: Updater;
  readonly merged: MergedLog;
  /** Records that can't be used, by reason, since this process began. */
  readonly rejected: ReadonlyMap<string, number>;
}

/** Name of the topic in which the shards of a replay meet. It is on no log: only the stores know it while they are trained. */
export function meetingTopic(parts: readonly GraphConfig[]): string {
  return exchangeName(graphOf(parts[0]!));
}

/**
 * The updaters of a replay, which are to run together: one of a whole graph, or one for each of its shards, which read the log in step.
 * They are ordinary updaters whose records come merged, and whose batches and commits are cut by count alone.
 */
export function composeReplay(
  config: Config,
  parts: readonly GraphConfig[],
  options: ReplayOptions,
): readonly Replaying[] {
  const { length: shards } = parts;
  const meeting = shards > 1 ? new ShardMeeting(meetingTopic(parts), shards) : undefined;
  // Each edge is trained by one of the shards.
  const batchEdges = Math.max(1, Math.ceil(config.tuning.batchEdges / shards));
  const shared = { ...config, tuning: { ...config.tuning, batchEdges } };
  return parts.map((part, index) => composePart(shared, part, index, meeting, options));
}

function composePart(
  config: Config,
  graph: GraphConfig,
  index: number,
  meeting: ShardMeeting | undefined,
  { log, eventLog, range, topicIds, space, stores, published, measures, trainerOf }: ReplayOptions,
): Replaying {
  const topics = topicsOf(config, graph);
  const rejected = new Map<string, number>();
  const merged = new MergedLog({
    log: eventLog,
    stretches: range,
    topicIds,
    read: (record) =>
      record.content ? record : { ...record, content: readContent(record, topics, config.limits) },
  });
  const { shard } = graph;
  // No vector is due, and none counts as published.
  const unpublished = { epsilon: Number.POSITIVE_INFINITY };
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
      store: stores[index]!,
      tuning: {
        ...config.tuning,
        ...(published ? {} : unpublished),
        lingerMs: Number.POSITIVE_INFINITY,
        commitMs: Number.POSITIVE_INFINITY,
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
    // Nobody is told how its edges rank.
    { ...graph.trainer, kernel: kernelOf(graph.trainer, reproducible).kernel, threads: 1, evaluatedEdges: 0 },
  );
  return { updater, merged, rejected };
}

/** A replay's updater, as far as it is run here. */
export interface Trained {
  readonly updater: Pick<Updater, 'run' | 'abandon'> & { progress(): { readonly phase: string } };
  readonly merged: Pick<MergedLog, 'reached'>;
}

/** How far a replay is, in offsets, so that markers of transactions count as records. */
export interface ReplayProgress {
  readonly phase: string;
  readonly done: number;
  readonly of: number;
  /** The pace of this process, since its stores are loaded. */
  readonly perSecond: number;
}

/** What {@link trainToEnd} reports to. */
export interface TrainingWatch {
  /** Ends the training at the last commit. */
  readonly stopping: AbortSignal;
  /** Called every second, and at the end. */
  tell(progress: ReplayProgress): void;
  /** Called when `stopping` comes after the last record: the rest is written, and the training ends well. */
  tooLate?(): void;
}

/**
 * Runs the updaters of a replay to the end of its range; each closes its store. If one fails, all end, and are waited for. Gives false
 * where `stopping` ended them before.
 */
export async function trainToEnd(
  replaying: readonly Trained[],
  range: readonly Stretch[],
  { stopping, tell, tooLate }: TrainingWatch,
): Promise<boolean> {
  const { updater, merged } = replaying[0]!;
  let stopped = false;
  const abandonAll = () => replaying.map((each) => each.updater.abandon()).includes(true);
  const stop = () => {
    stopped = abandonAll();
    if (!stopped) tooLate?.();
  };
  stopping.addEventListener('abort', stop);
  if (stopping.aborted) stop();
  let first: { readonly at: number; readonly done: number } | undefined;
  const look = () => {
    const { phase } = updater.progress();
    const done = range.reduce((sum, stretch) => sum + merged.reached(stretch) - stretch.from, 0);
    const at = performance.now();
    if (phase === 'running') first ??= { at, done };
    const perSecond = first && at > first.at ? (1_000 * (done - first.done)) / (at - first.at) : 0;
    tell({ phase, done, of: recordsIn(range), perSecond });
  };
  const telling = setInterval(look, TELL_MS);
  try {
    const runs = replaying.map((each) => each.updater.run({ untilCaughtUp: true }));
    for (const run of runs) run.catch(abandonAll);
    const failed = (await Promise.allSettled(runs)).find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
  } finally {
    clearInterval(telling);
    stopping.removeEventListener('abort', stop);
  }
  look();
  return !stopped;
}

const NOWHERE: Sink = { publish: async () => {}, takeOver: async () => {}, stop: async () => {} };
