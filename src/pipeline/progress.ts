import type { Phase } from './lifecycle.ts';
import type { LoadedPipeline } from './loaded-pipeline.ts';
import type { Intake } from './reading/intake.ts';
import type { TrainingSummary } from './training/summary.ts';
import type { Tuning } from './tuning.ts';

/** The state of an updater, for people, tests and metrics. Rates come from two of these. */
export type Progress = Readonly<ReturnType<typeof progressOf>>;

/** The parts of an updater that exist before its store is loaded. */
interface Standing {
  readonly graph: string;
  readonly phase: Phase;
  readonly tuning: Pick<Tuning, 'maxOutbox'>;
  readonly summary: TrainingSummary;
  readonly intake: Pick<Intake, 'records' | 'bytes'>;
}

/** pipeline: undefined before the store is loaded. */
export function progressOf(
  { graph, phase, tuning, summary, intake }: Standing,
  pipeline: LoadedPipeline | undefined,
) {
  const { index, counters, publisher, committer, writer, neighbours, rejections } = pipeline?.parts ?? {};
  return {
    graph,
    phase,
    events: counters ? { ...counters.events } : { consumed: 0, rejected: 0, duplicate: 0, late: 0 },
    /** Rejected records since this process began; empty before the store is loaded. */
    rejectedBy: rejections?.byTopic() ?? {},
    /** The newest of them, newest last. */
    rejected: rejections?.newest ?? [],
    entities: index?.counts() ?? {},
    /** Rows in use, those of relations and of erased entities included. */
    rows: index?.nextRow ?? 0,
    /** Rows that another entity can have. */
    freeRows: index?.freeRows ?? 0,
    /** Entities that got a vector since this process began. */
    started: summary.started,
    edges: { ...counters?.edges },
    step: summary.step,
    /** Step of the head, as in the headers of vectors: none of them is of a later one. Undefined before the store is loaded. */
    committedStep: committer && writer && writer.stepBase + committer.step,
    /** Edges trained since this process began. */
    trained: summary.trained,
    /** Loss of an anchor, recent mean; undefined before the first batch. */
    loss: summary.loss,
    lossByRelation: summary.lossByRelation,
    /** Recent prequential quality of edges: both ends trained before, or one end new. */
    known: summary.known,
    fresh: summary.fresh,
    knownByRelation: summary.knownByRelation,
    freshByRelation: summary.freshByRelation,
    /** Recently published vectors, by entity type. */
    moved: committer?.moves.byType() ?? {},
    published: publisher?.outbox.acknowledged ?? 0,
    retries: publisher?.delivery.retries ?? 0,
    /** Failed sends by code. */
    failures: Object.fromEntries(publisher?.delivery.failures ?? []),
    outbox: publisher?.outbox.size ?? 0,
    /** Vectors that may wait before reading pauses. */
    maxOutbox: tuning.maxOutbox,
    /** Arrival of the oldest record that waits for its vector, epoch ms. */
    oldest: publisher?.outbox.oldest,
    commits: committer?.commits ?? 0,
    /** When the last commit of this process was written, epoch ms. */
    committedAt: committer?.writtenAt,
    /** The run of training the vectors come from, and the epoch they are published under. */
    writer: writer && { space: writer.space, epoch: writer.epoch },
    /** Time from the arrival of a record to the acknowledgement of its vector, ms, over recent vectors. */
    latencyMs: { p50: publisher?.latency.quantile(0.5), p99: publisher?.latency.quantile(0.99) },
    queue: { records: intake.records, bytes: intake.bytes },
    /** What a shard and the others sent each other; undefined where the graph is whole. */
    exchange: neighbours?.progress,
  };
}
