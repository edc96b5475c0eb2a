import { topicsOf } from '../../compose/graph-updater.ts';
import { UsageError } from '../../errors/errors.ts';
import { readStream, type StreamRead } from '../../evaluation/stream/read-stream.ts';
import { type Split, sampleTasks, splitStream, type Task } from '../../evaluation/stream/split.ts';
import type { EventLog, SourceRecord, Stretch } from '../../pipeline/ports.ts';
import { readContent } from '../../pipeline/reading/record-content.ts';
import { resolveRange } from '../../replay/range.ts';
import { Random } from '../../sampling/random.ts';
import { count } from '../format.ts';
import type { EvaluationProgress } from './progress.ts';
import { lossLines } from './stream-report.ts';
import type { StreamRequest } from './stream-request.ts';

/** Seed of candidates, samples and intervals: the same stream gives the same figures each time. */
export const SEED = 1;
/** Recent popularity halves with this share of the edges. */
const HALF_LIFE = 0.02;

/** The stream as read, its split, and what is to be ranked. */
export interface StreamPlan {
  /** The whole stream, and the part of it before the cut. */
  readonly range: readonly Stretch[];
  readonly known: readonly Stretch[];
  readonly topicIds: Readonly<Record<string, string>>;
  readonly read: StreamRead;
  readonly split: Split;
  /** Tasks of the users that were drawn. */
  readonly tasks: readonly Task[];
  /** Half-life of recent popularity, in edges. */
  readonly halfLife: number;
}

/** The records that are read, and the topics that they lie in. */
export type StreamRange = Pick<StreamPlan, 'range' | 'topicIds'>;

/**
 * Reads the stream once, and splits it.
 * @throws UsageError where the range holds no record, or nothing can be foretold.
 */
export async function planStream(
  request: StreamRequest,
  eventLog: EventLog,
  progress: EvaluationProgress,
): Promise<StreamPlan> {
  const plan = await planPart(request, await resolveStream(request, eventLog, progress), eventLog, progress);
  refuseEmpty(plan, request);
  return plan;
}

/** @throws UsageError where the range holds no record. */
export async function resolveStream(
  { topics, from, until }: StreamRequest,
  eventLog: EventLog,
  progress: EvaluationProgress,
): Promise<StreamRange> {
  progress.checkStopping();
  const { stretches: range } = await resolveRange(eventLog, topics, from, until);
  return { range, topicIds: await eventLog.topicIds(topics) };
}

/** Reads a part of the stream, and splits it. There may be nothing to foretell: see `refuseEmpty`. */
export async function planPart(
  { config, graph, options }: StreamRequest,
  { range, topicIds }: StreamRange,
  eventLog: EventLog,
  progress: EvaluationProgress,
): Promise<StreamPlan> {
  const byName = topicsOf(config, graph);
  const content = (record: SourceRecord) => ({
    ...record,
    content: readContent(record, byName, config.limits),
  });
  const read = await readStream(eventLog, range, graph.model.relations, content, (records) =>
    progress.turn(`${count(records)} records read`),
  );
  const { stream, records } = read;
  const { stretches: known, events } = read.before(Math.floor(records * (1 - options.holdout)));
  const split = splitStream(stream, events);
  const random = Random.seeded(SEED);
  return {
    range,
    known,
    topicIds,
    read,
    split,
    tasks: sampleTasks(split.tasks, options.users, (n) => random.below(n)),
    halfLife: Math.max(1, Math.round(HALF_LIFE * stream.learned)),
  };
}

/** @throws UsageError where no known user has a new target in the held-back part. */
export function refuseEmpty({ read, tasks }: StreamPlan, { graph, options }: StreamRequest): void {
  if (tasks.length > 0) return;
  const { unusable, stream } = read;
  const lost = lossLines({ unusable, withoutEdges: stream.withoutEdges });
  throw new UsageError(
    `nothing can be foretold: of ${count(read.records)} records of ${graph.name}, ${count(read.stream.length)} change an edge, and in the ` +
      `last ${Math.round(100 * options.holdout)} % no known user has a new edge to a known entity. Read a longer range, or hold back more with --holdout${lost.map((line) => `\n  ${line}`).join('')}`,
  );
}
