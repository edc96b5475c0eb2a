import type { Counters } from './counters.ts';
import type { Phase } from './lifecycle.ts';
import type { LoadedPipeline } from './loaded-pipeline.ts';
import type { ExchangeProgress } from './neighbours.ts';
import type { Intake } from './reading/intake.ts';
import type { Rejected, RejectedBy } from './rejections.ts';
import type { Quality, TrainingSummary } from './training/summary.ts';
import type { Tuning } from './tuning.ts';
import type { Moved } from './writing/moves.ts';

/** The state of an updater, for people, tests and metrics. Rates come from two of these. */
export interface Progress {
  readonly graph: string;
  readonly phase: Phase;
  readonly events: Counters['events'];
  /** Rejected records since this process began; empty before the store is loaded. */
  readonly rejectedBy: RejectedBy;
  /** The newest of them, newest last. */
  readonly rejected: readonly Rejected[];
  readonly entities: Record<string, number>;
  /** Rows in use, those of relations and of erased entities included. */
  readonly rows: number;
  /** Rows that another entity can have. */
  readonly freeRows: number;
  /** Entities that got a vector since this process began, by how the vector was made. */
  readonly started: number;
  readonly edges: Record<string, number>;
  readonly step: number;
  /** Step of the last commit, as in the headers of its vectors; undefined before the store is loaded. */
  readonly committedStep: number | undefined;
  /** Edges trained since this process began. */
  readonly trained: number;
  /** Loss of an anchor, recent mean; undefined before the first batch. */
  readonly loss: number | undefined;
  readonly lossByRelation: Record<string, number>;
  /** Recent prequential quality of edges: both ends trained before, or one end new. */
  readonly known: Quality | undefined;
  readonly fresh: Quality | undefined;
  readonly knownByRelation: Record<string, Quality>;
  readonly freshByRelation: Record<string, Quality>;
  /** Recently published vectors, by entity type. */
  readonly moved: Record<string, Moved>;
  readonly published: number;
  readonly retries: number;
  /** Failed sends by code. */
  readonly failures: Readonly<Record<string, number>>;
  readonly outbox: number;
  /** Vectors that may wait before reading pauses. */
  readonly maxOutbox: number;
  /** Arrival of the oldest record that waits for its vector, epoch ms. */
  readonly oldest: number | undefined;
  readonly commits: number;
  /** When the last commit of this process was written, epoch ms. */
  readonly committedAt: number | undefined;
  /** The run of training the vectors come from, and the epoch they are published under. */
  readonly writer: { readonly space: string; readonly epoch: number } | undefined;
  /** Time from the arrival of a record to the acknowledgement of its vector, ms, over recent vectors. */
  readonly latencyMs: { readonly p50: number | undefined; readonly p99: number | undefined };
  readonly queue: { readonly records: number; readonly bytes: number };
  /** What a shard and the others sent each other; undefined where the graph is whole. */
  readonly exchange: ExchangeProgress | undefined;
}

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
): Progress {
  const { index, counters, publisher, committer, writer, neighbours } = pipeline ?? {};
  return {
    graph,
    phase,
    events: counters ? { ...counters.events } : { consumed: 0, rejected: 0, duplicate: 0, late: 0 },
    rejectedBy: pipeline?.rejections.byTopic() ?? {},
    rejected: pipeline?.rejections.newest ?? [],
    entities: index?.counts() ?? {},
    rows: index?.nextRow ?? 0,
    freeRows: index?.freeRows ?? 0,
    started: summary.started,
    edges: { ...counters?.edges },
    step: summary.step,
    committedStep: committer && writer && writer.stepBase + committer.step,
    trained: summary.trained,
    loss: summary.loss,
    lossByRelation: summary.lossByRelation,
    known: summary.known,
    fresh: summary.fresh,
    knownByRelation: summary.knownByRelation,
    freshByRelation: summary.freshByRelation,
    moved: committer?.moves.byType() ?? {},
    published: publisher?.published ?? 0,
    retries: publisher?.delivery.retries ?? 0,
    failures: Object.fromEntries(publisher?.delivery.failures ?? []),
    outbox: publisher?.size ?? 0,
    maxOutbox: tuning.maxOutbox,
    oldest: publisher?.oldest,
    commits: committer?.commits ?? 0,
    committedAt: committer?.writtenAt,
    writer: writer && { space: writer.space, epoch: writer.epoch },
    latencyMs: { p50: publisher?.latency.quantile(0.5), p99: publisher?.latency.quantile(0.99) },
    queue: { records: intake.records, bytes: intake.bytes },
    exchange: neighbours?.progress,
  };
}
