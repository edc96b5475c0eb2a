import {
  CANDIDATES,
  type EvaluationOutside,
  edgeFigures,
  listFigures,
  measureStream,
  planStream,
  SEED,
  type StreamPlan,
  simpleRules,
} from '../../compose/evaluation.ts';
import { UsageError } from '../../errors/errors.ts';
import { resolveRange } from '../../replay/range.ts';
import { Random } from '../../sampling/random.ts';
import { count } from '../format.ts';
import type { StreamRequest } from './request.ts';

/** Reads the whole stream once, and splits it. @throws UsageError where the range holds no record, or nothing can be predicted. */
export async function planWhole(request: StreamRequest, outside: EvaluationOutside): Promise<StreamPlan> {
  const { topics, from, until, current, options } = request;
  const { stretches: range } = await resolveRange(outside.eventLog, topics, from, until);
  const topicIds = await outside.eventLog.topicIds(topics);
  const plan = await planStream(current, { range, topicIds }, options, outside);
  refuseEmpty(plan, request);
  return plan;
}

/** @throws UsageError where no known user has a new target in the held-back part. */
export function refuseEmpty({ read, tasks }: StreamPlan, { graph, options }: StreamRequest): void {
  if (tasks.length > 0) return;
  const { unusable, stream, records } = read;
  const lost = lossLines({ unusable, withoutEdges: stream.withoutEdges });
  throw new UsageError(
    `nothing can be predicted: of ${count(records)} records of ${graph.name}, ${count(stream.length)} change an edge, and in the ` +
      `last ${Math.round(100 * options.holdout)} % no known user has a new edge to a known entity. Read a longer range, or hold back more with --holdout${lost.map((line) => `\n  ${line}`).join('')}`,
  );
}

/** The object that `--json` prints. */
export type StreamReport = Awaited<ReturnType<typeof evaluate>>;

/** Reads a stream once, trains on it once, and puts the figures of the vectors beside those of simple rules. */
export async function evaluate(request: StreamRequest, outside: EvaluationOutside) {
  const started = performance.now();
  const { options, graph, current } = request;
  const plan = await planWhole(request, outside);
  const { stream, records, unusable } = plan.read;
  const { lists, ranked } = await measureStream(plan, current, outside);
  const random = Random.seeded(SEED);
  const rules = await simpleRules(plan, random, outside.progress);
  const usersOf = (tasks: StreamPlan['split']['tasks']) => new Set(tasks.map(({ lhs }) => lhs)).size;
  return {
    graph: graph.name,
    records,
    unusable,
    withoutEdges: stream.withoutEdges,
    /** Edges learned, repeated ones included. */
    edges: stream.learned,
    entities: stream.entities.length,
    /** Share of the records that was held back. */
    holdout: options.holdout,
    /** Candidates of each set in the prequential protocol. */
    candidates: CANDIDATES,
    /** Half-life of recent popularity, in edges. */
    halfLife: plan.halfLife,
    /** Users ranked for, and users with a new target. */
    users: usersOf(plan.tasks),
    usersInAll: usersOf(plan.split.tasks),
    lists: listFigures(plan, { vectors: lists, ...rules }, random),
    prequential: edgeFigures(current.graph, ranked),
    seconds: (performance.now() - started) / 1000,
  };
}

/** What the graph learns nothing from: records that can't be used, and relations without edges. */
export function lossLines(report: Pick<StreamReport, 'unusable' | 'withoutEdges'>): string[] {
  const { unusable, withoutEdges } = report;
  const lines = unusable.map(
    ({ topic, code, records, first: { partition, offset, reason } }) =>
      `${topic}: ${count(records)} unusable (${code}), such as offset ${offset} of partition ${partition}: ${reason}`,
  );
  return withoutEdges.length === 0 ? lines : [...lines, `no edges of ${withoutEdges.join(', ')}`];
}
