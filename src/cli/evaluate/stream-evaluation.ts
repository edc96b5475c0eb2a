import { CommonNeighbours } from '../../evaluation/stream/common-neighbours.ts';
import { meanQuality, type ScopeFigures, scopeFigures } from '../../evaluation/stream/list-figures.ts';
import { type ListQuality, rankByChance, rankTasks } from '../../evaluation/stream/list-quality.ts';
import { scoredBy, scoredByChance } from '../../evaluation/stream/ranked-edges.ts';
import { popularity, type Recommender, recentPopularity } from '../../evaluation/stream/recommender.ts';
import {
  type SliceFigures,
  sliceFigures,
  slicesOf,
  type Ways,
} from '../../evaluation/stream/slice-figures.ts';
import { Random } from '../../sampling/random.ts';
import { planStream, SEED, type StreamPlan } from './stream-plan.ts';
import type { StreamReport } from './stream-report.ts';
import type { StreamRequest } from './stream-request.ts';
import {
  CANDIDATES,
  type Measured,
  measurePasses,
  StreamTraining,
  type TrainingOutside,
} from './stream-training.ts';

/** What was measured of one stream: a model for each seed, and the paper's preset where it was asked for. */
interface Models {
  readonly own: readonly Measured[];
  readonly paper: Measured | undefined;
  /** The lists of the model trained in many passes, by its name. */
  readonly batch: Readonly<Record<string, Measured['lists']>>;
}

/** Reads a stream once, trains it once for each seed and preset, and puts the figures side by side. */
export async function measureStream(request: StreamRequest, outside: TrainingOutside): Promise<StreamReport> {
  const started = performance.now();
  const { options, graph } = request;
  const plan = await planStream(request, outside.eventLog, outside.progress);
  const { stream, records, unusable } = plan.read;
  const edges = stream.learned;
  const entities = stream.entities.length;
  outside.context.log().info({ graph: graph.name, records, edges, entities }, 'the stream is read');
  const own: Measured[] = [];
  const { prequential = true, interests = false, passes, shards = 1 } = options;
  for (const variant of request.own)
    own.push(await new StreamTraining(plan, variant, outside).measure({ interests, prequential, shards }));
  const paper =
    request.paper &&
    (await new StreamTraining(plan, request.paper, outside).measure({
      interests: false,
      // Its edges would not be ranked in the order of those of the shards.
      prequential: prequential && shards === 1,
      shards: 1,
    }));
  const batch =
    passes === undefined ? {} : { [`${passes} passes`]: await measurePasses(plan, request, passes, outside) };
  const models = { own, paper, batch };
  const usersOf = (tasks: StreamPlan['tasks']) => new Set(tasks.map(({ lhs }) => lhs)).size;
  return {
    graph: graph.name,
    seeds: options.seeds,
    records,
    unusable,
    withoutEdges: stream.withoutEdges,
    edges,
    entities,
    holdout: options.holdout,
    candidates: CANDIDATES,
    halfLife: plan.halfLife,
    users: usersOf(plan.tasks),
    usersInAll: usersOf(plan.split.tasks),
    lists: await listsOf(plan, models, outside),
    prequential: prequential
      ? slicesRanked(
          graph.model.relations.map(({ name }) => name),
          models,
        )
      : [],
    seconds: (performance.now() - started) / 1000,
  };
}

/** The time-split protocol: every way of ranking, by scope. */
async function listsOf(
  { split, tasks, halfLife }: StreamPlan,
  { own, paper, batch }: Models,
  { progress }: TrainingOutside,
): Promise<ScopeFigures[]> {
  const random = Random.seeded(SEED);
  const ranked = (name: string, by: Recommender) =>
    rankTasks(tasks, by, progress.meter(`lists ranked by ${name}`));
  const others: Readonly<Record<string, ReadonlyMap<string, ListQuality>>> = {
    ...interestsOf(own),
    ...batch,
    popularity: await ranked('popularity', popularity(split)),
    'recent popularity': await ranked('recent popularity', recentPopularity(split, halfLife)),
    'common neighbours': await ranked('common neighbours', new CommonNeighbours(split, random)),
    chance: rankByChance(tasks),
    ...(paper && { 'preset twhin': paper.lists }),
  };
  return split.scopes.flatMap(({ name, pair }) => {
    const runs = own.flatMap(({ lists }) => lists.get(name) ?? []);
    // No user that was drawn has a task in this scope.
    if (runs.length === 0) return [];
    const ways = Object.entries(others).flatMap(([way, lists]) => {
      const quality = lists.get(name);
      return quality === undefined ? [] : [[way, quality] as const];
    });
    return scopeFigures(
      { scope: name, candidates: pair.candidates.length },
      runs,
      Object.fromEntries(ways),
      random,
    );
  });
}

/** By way of asking and scope: the mean of all seeds. */
function interestsOf(own: readonly Measured[]): Record<string, Map<string, ListQuality>> {
  const ways = Object.keys(own[0]?.interests ?? {});
  return Object.fromEntries(
    ways.map((way) => {
      const runs = own.flatMap(({ interests }) => interests[way] ?? []);
      const scopes = [...(runs[0]?.keys() ?? [])];
      const mean = (scope: string) => meanQuality(runs.flatMap((run) => run.get(scope) ?? []));
      return [way, new Map(scopes.map((scope) => [scope, mean(scope)]))];
    }),
  );
}

/** The prequential protocol: every way of ranking, by slice of the stream. */
function slicesRanked(relations: readonly string[], { own, paper }: Models): SliceFigures[] {
  const [first] = own;
  if (first === undefined) return [];
  const edges = first.ranked;
  const ways: Ways = {
    runs: own.map(({ ranked }) => scoredBy(ranked, 'vectors')),
    others: {
      popularity: scoredBy(edges, 'popularity'),
      'recent popularity': scoredBy(edges, 'recent'),
      'random start': scoredBy(edges, 'start'),
      chance: scoredByChance(edges),
      ...(paper && paper.ranked.edge.length > 0 && { 'preset twhin': scoredBy(paper.ranked, 'vectors') }),
    },
  };
  const random = Random.seeded(SEED);
  return slicesOf(relations).flatMap((slice) => sliceFigures(edges, slice, ways, random) ?? []);
}
