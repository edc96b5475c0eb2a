/**
 * What a search should answer with, where no relation leads from a query to a tweet or a user: ways to compose one, on the
 * demo's world, whose communities are known. `npx node bench/search.ts [--world EVENTS] [--seeds N]`.
 *
 * Three graphs are trained on the first 85 % of the events: the two of the default configuration, `engagement` and `follow`, and one
 * with all relations. Each query that was searched by then is asked for its first 20 tweets and users: the share of these that
 * belong to the community the query names. For each search in the rest of the events: the share of what the searcher engages with
 * afterwards, or follows, among the first 20, new to the searcher and known before. Unknown queries are the known ones, one at a
 * time, as if nobody had searched for that text. Intervals are 95 %, by bootstrap over queries, and over users for what came after a
 * search; the last column is the difference from what is served, user by user.
 */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as immediate } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createWorld, type Truth } from '../demo/world.ts';
import { connect } from '../src/adapters/connect.ts';
import { EvaluationProgress } from '../src/cli/evaluate/progress.ts';
import { resolveStream, SEED } from '../src/cli/evaluate/stream-plan.ts';
import { readStreamRequest } from '../src/cli/evaluate/stream-request.ts';
import { terminal } from '../src/cli/output.ts';
import { composeEvaluation, loadSpace } from '../src/compose/evaluation.ts';
import { loadConfig } from '../src/config/load.ts';
import { bootstrap } from '../src/evaluation/bootstrap.ts';
import type { Space } from '../src/evaluation/space.ts';
import type { EdgeChange, GraphChange, Relation } from '../src/graph/edge.ts';
import { type EntityKey, idOf, typeOf } from '../src/graph/entity.ts';
import { silentLog } from '../src/log.ts';
import { SCORERS } from '../src/model/scorers.ts';
import { Random } from '../src/sampling/random.ts';
import { Activity } from '../src/serve/activity.ts';
import { OwnScans } from '../src/serve/looks.ts';
import type { SearchAsked } from '../src/serve/search.ts';
import type { ServedGraph } from '../src/serve/served-graph.ts';
import { Gate, SharedPasses } from '../src/serve/shared-passes.ts';
import { Spaces } from '../src/serve/spaces.ts';
import { Surfaces } from '../src/serve/surfaces.ts';
import { VectorTable } from '../src/serve/vector-table.ts';
import { type WeightedQuery, weightedTop } from '../src/serve/weighted-top.ts';
import { EVENT_TOPICS, fullName, readRecord } from '../topics/index.ts';
import { measured } from './child.ts';

const COMMAND = join(import.meta.dirname, '..', 'bin', 'twhin.js');
const [SHARE, FIRST] = [0.85, 20];
/** Those that come with us, and one with all of their topics and relations. */
const GRAPHS = ['engagement', 'follow', 'whole'] as const;
type GraphName = (typeof GRAPHS)[number];
const WHOLE = `export default {
  graphs: {
    engagement: {},
    follow: {},
    whole: {
      topics: ['engagement', 'follow', 'ad-click', 'search'],
      relations: ['follows', 'likes', 'retweets', 'replies', 'quotes', 'mentions', 'clicks', 'promotes', 'searches'],
    },
  },
};
`;
const SEARCHES = 'searches';
/** Newest searchers of a query that are looked at. */
const SEARCHERS = 100;
/** The factor of the model's scores as it is trained; scores are made with 1. */
const SHARP = 9;
const HALF_LIFE_MS = 24 * 3_600_000;

const PASSES = new SharedPasses({
  scans: new OwnScans('wasm-plain'),
  gate: new Gate(),
  later: setImmediate,
  turn: immediate,
  clock: () => performance.now(),
});

const { values } = parseArgs({
  options: { world: { type: 'string', default: '200000' }, seeds: { type: 'string', default: '3' } },
});
const [events, seeds] = [Number(values.world), Number(values.seeds)];

interface Happened {
  readonly topic: string;
  readonly key: string | null;
  readonly value: Buffer;
  readonly changes: readonly GraphChange[];
}

/** The good records of a world, in their order, and where its truth is told. */
function worldOf(seed: number): { truth: Truth; happened: Happened[] } {
  const world = createWorld({ seed, events });
  const happened: Happened[] = [];
  for (const { topic: name, key, value } of world.events) {
    const topic = EVENT_TOPICS.find((each) => each.name === name);
    try {
      if (topic === undefined) continue;
      happened.push({
        topic: name,
        key,
        value: value!,
        changes: readRecord(topic, { value, timestamp: Date.now() }),
      });
    } catch {
      // One of the world's bad records.
    }
  }
  return { truth: world.truth, happened };
}

/** The vectors of a graph, and its relations. */
interface TrainedGraph {
  readonly space: Space;
  readonly relations: readonly Relation[];
}

/** Trains the graphs on these events, in one log and a store for each. */
async function trained(
  happened: readonly Happened[],
  seed: number,
): Promise<Readonly<Record<GraphName, TrainedGraph>>> {
  const folder = await mkdtemp(join(tmpdir(), 'twhin-search-'));
  const env = {
    ...process.env,
    KAFKA_BROKERS: `file:${join(folder, 'log')}`,
    TWHIN_STATE: join(folder, 'state'),
  };
  await writeFile(join(folder, 'twhin.config.ts'), WHOLE);
  await measured([COMMAND, 'topics', 'apply'], env);
  const load = (set: readonly string[] = []) => loadConfig(env, folder, set);
  const connection = await connect((await load()).kafka);
  const eventLog = connection.log();
  const { signal: stopping } = new AbortController();
  const train = async (name: GraphName): Promise<TrainedGraph> => {
    const progress = new EvaluationProgress(name, { log: () => silentLog, output: terminal, stopping });
    const asked = { from: 'earliest', until: 'latest', holdout: 0.5, users: 1, seeds: seed + 1 };
    const request = await readStreamRequest(
      { ...asked, graph: name, set: [], paper: false },
      { config: load },
    );
    const { config, graph } = request.own[seed]!;
    const { range, topicIds } = await resolveStream(request, eventLog, progress);
    const place = { graph: name, name: 'search', folder: join(folder, `store-${name}`) };
    await mkdir(place.folder, { recursive: true });
    const none = { lhs: new Int32Array(), relation: new Int32Array(), rhs: new Int32Array() };
    const replaying = await composeEvaluation(config, graph, {
      ...{ log: silentLog, place, eventLog, range, topicIds, onRanked: () => undefined },
      // Nothing is ranked while it is trained.
      prequential: {
        seed: SEED,
        from: Number.MAX_SAFE_INTEGER,
        candidates: 1,
        halfLife: 1_000,
        before: none,
      },
    });
    await progress.train(replaying, range, {});
    return { space: await loadSpace(graph, place), relations: graph.model.relations };
  };
  try {
    const sink = connection.sink();
    for (let i = 0; i < happened.length; i += 2_000) {
      const messages = happened.slice(i, i + 2_000).map(({ topic, key, value }) => ({
        ...{ topic: fullName('twhin.', { name: topic }), key, value, headers: {} },
      }));
      await sink.publish(messages);
    }
    await sink.stop();
    return {
      engagement: await train('engagement'),
      follow: await train('follow'),
      whole: await train('whole'),
    };
  } finally {
    await eventLog.close();
    await connection.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** What is known of a graph at the cut. */
class KnownGraph {
  readonly name: GraphName;
  readonly relations: readonly Relation[];
  readonly activity: Activity;
  readonly cutAt: number;
  readonly spaces: Spaces;
  readonly served: ServedGraph;
  readonly #space: Space;
  readonly #tables = new Map<string, VectorTable>();
  /** By query: the users who searched it, newest last. */
  readonly #searchers = new Map<EntityKey, Map<EntityKey, number>>();

  constructor(name: GraphName, { space, relations }: TrainedGraph, happened: readonly Happened[]) {
    this.name = name;
    this.relations = relations;
    this.#space = space;
    this.spaces = new Spaces(1_000_000);
    this.cutAt = Math.max(...happened.slice(-100).flatMap(({ changes }) => changes.map(({ at }) => at)));
    this.activity = new Activity({
      ...{ relations, edgesOfOne: 1_000, edges: 5_000_000, sourcesOf: [SEARCHES] },
      clock: () => this.cutAt,
    });
    const own = new Set(relations.map((relation) => relation.name));
    for (const change of happened.flatMap(({ changes }) => changes)) {
      if ('relation' in change && !own.has(change.relation)) continue;
      this.activity.take(change);
      if ('relation' in change)
        for (const entity of [change.lhs, change.rhs]) this.spaces.active(entity, change.at);
      if (!('relation' in change) || change.relation !== SEARCHES) continue;
      const by = this.#searchers.get(change.rhs) ?? new Map<EntityKey, number>();
      this.#searchers.set(change.rhs, by);
      by.delete(change.lhs);
      by.set(change.lhs, change.at);
    }
    for (const type of ['tweet', 'user', 'query']) {
      const { keys, rows } = space.members(type);
      const table = new VectorTable(type, space.model.dim, Math.max(1, keys.length));
      keys.forEach((key, i) => void table.set(key, space.table.vector(rows[i]!).slice(0, space.model.dim)));
      this.#tables.set(type, table);
    }
    this.#publish(space);
    this.served = {
      ...{ name, relations, spaces: this.spaces, activity: this.activity },
      ...{ eventsSince: () => 0, unready: () => [], staleSince: () => undefined },
    };
  }

  /** What is read of the topics. */
  #publish(space: Space): void {
    const of = {
      graph: this.name,
      dtype: 'float32',
      step: 1,
      at: this.cutAt,
      epoch: 1,
      fingerprint: 'f',
      space: 's',
    } as const;
    const { scorer, dim } = space.model;
    for (const { name, lhs, rhs } of this.relations) {
      for (const inverse of [false, true]) {
        const vector = Float32Array.from(this.relation(name, inverse));
        this.spaces.relate({
          ...of,
          relation: name,
          inverse,
          trained: true,
          scorer,
          beta: 1,
          lhs,
          rhs,
          dim,
          vector,
        });
      }
    }
    for (const [type, table] of this.#tables)
      for (const key of table.names())
        this.spaces.embed(key, { ...of, dim, vector: this.table(type).vectorOf(key)! });
  }

  /** Does something as if nobody had searched the query: without its vector. */
  async without<T>(query: EntityKey, act: () => Promise<T>): Promise<T> {
    const at = this.spaces.current!.at;
    const vector = this.table('query').vectorOf(query)!;
    const of = {
      graph: this.name,
      dtype: 'float32',
      step: 1,
      at,
      epoch: 1,
      fingerprint: 'f',
      space: 's',
    } as const;
    this.spaces.erase(query);
    try {
      return await act();
    } finally {
      this.spaces.embed(query, { ...of, dim: vector.length, vector });
    }
  }

  table(type: string): VectorTable {
    return this.#tables.get(type)!;
  }

  get queries(): EntityKey[] {
    return [...this.table('query').names()];
  }

  searchers(query: EntityKey): [EntityKey, number][] {
    return [...(this.#searchers.get(query) ?? [])].slice(-SEARCHERS);
  }

  vector(entity: EntityKey): Float64Array {
    return Float64Array.from(this.table(typeOf(entity)).vectorOf(entity)!);
  }

  relation(name: string, reverse = false): Float64Array {
    if (!this.relations.some((each) => each.name === name))
      throw new Error(`${this.name} has no relation ${name}`);
    const { dim } = this.#space.model;
    return Float64Array.from(
      this.#space.table.vector(this.#space.relationRow(name, reverse)).subarray(0, dim),
    );
  }

  /** The first of a type by these weighted queries. */
  async top(type: string, queries: readonly WeightedQuery[]): Promise<EntityKey[]> {
    const table = this.table(type);
    const { scorer, beta } = this.#space.model;
    const scored = { table: table.scan, scorer, beta, nameOf: (row: number) => table.nameOf(row) };
    const found = await PASSES.ask(() => weightedTop(scored, queries, [], FIRST));
    return found.map(({ row }) => table.nameOf(row));
  }

  /** A point moved by each relation from users to the type, weighted by what all users did. */
  moved(type: string, point: Float64Array): WeightedQuery[] {
    const relations = type === 'user' ? ['follows'] : ['likes', 'retweets', 'replies', 'quotes', 'mentions'];
    const total = relations.reduce((sum, name) => sum + this.activity.liveOfAll(name), 0);
    return relations.map((name) => ({
      vector: plus(point, this.relation(name)),
      weight: this.activity.liveOfAll(name) / total,
    }));
  }

  /** What the searchers, of this graph or another one, engaged with or followed, those of most weight first; a younger edge weighs more. */
  shared(
    type: string,
    query: EntityKey,
    discount: number,
    near: readonly WeightedQuery[] = [],
    searchers: readonly [EntityKey, number][] = this.searchers(query),
  ): EntityKey[] {
    const relations = type === 'user' ? ['follows'] : ['likes', 'retweets', 'replies', 'quotes', 'mentions'];
    const weights = new Map<EntityKey, number>();
    for (const [searcher] of searchers) {
      for (const { relation, target, at, removed } of this.activity.recent(searcher, 1_000))
        if (!removed && relations.includes(relation))
          weights.set(target, (weights.get(target) ?? 0) + 2 ** ((at - this.cutAt) / HALF_LIFE_MS));
    }
    const { scorer, beta } = this.#space.model;
    const table = this.table(type);
    const scored = [...weights].flatMap(([target, weight]) => {
      if (table.rowOf(target) === undefined) return [];
      const score = near.reduce(
        (sum, { vector, weight: share }) =>
          sum + share * SCORERS[scorer].score(vector, this.vector(target), beta),
        0,
      );
      return [
        {
          target,
          weight: Math.log(weight) - discount * Math.log(this.#popularity(type, target)) + SHARP * score,
        },
      ];
    });
    return scored
      .sort((a, b) => b.weight - a.weight)
      .slice(0, FIRST)
      .map(({ target }) => target);
  }

  /** Weight of all live edges to a target, as of the cut. */
  #popularity(type: string, target: EntityKey): number {
    return this.#popularities(type).get(target) ?? 1;
  }

  readonly #sums = new Map<string, Map<EntityKey, number>>();
  #popularities(type: string): Map<EntityKey, number> {
    const known = this.#sums.get(type);
    if (known !== undefined) return known;
    const relations = type === 'user' ? ['follows'] : ['likes', 'retweets', 'replies', 'quotes', 'mentions'];
    const sums = new Map<EntityKey, number>();
    for (const each of this.table('user').names()) {
      for (const { relation, target, at, removed } of this.activity.recent(each, 1_000))
        if (!removed && relations.includes(relation))
          sums.set(target, (sums.get(target) ?? 0) + 2 ** ((at - this.cutAt) / HALF_LIFE_MS));
    }
    this.#sums.set(type, sums);
    return sums;
  }
}

function plus(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, k) => value + b[k]!);
}

function mean(vectors: readonly Float64Array[]): Float64Array {
  const sum = vectors.reduce(plus);
  return sum.map((value) => value / vectors.length);
}

const alone = (vector: Float64Array): WeightedQuery[] => [{ vector, weight: 1 }];

/** What is known at the cut of all graphs, and searches as they are served. */
class Known {
  readonly engagement: KnownGraph;
  readonly follow: KnownGraph;
  readonly whole: KnownGraph;
  /** Of the default configuration; the same where no search is known any more; of the graph with all relations. */
  readonly served: Surfaces;
  readonly forgotten: Surfaces;
  readonly servedOfWhole: Surfaces;

  constructor(
    { engagement, follow, whole }: Readonly<Record<GraphName, TrainedGraph>>,
    happened: readonly Happened[],
  ) {
    this.engagement = new KnownGraph('engagement', engagement, happened);
    this.follow = new KnownGraph('follow', follow, happened);
    this.whole = new KnownGraph('whole', whole, happened);
    const surfaces = (...graphs: ServedGraph[]) => new Surfaces({ graphs, surfaces: [], passes: PASSES });
    const { served } = this.engagement;
    this.served = surfaces(served, this.follow.served);
    this.forgotten = surfaces(
      { ...served, activity: withoutSearches(happened, this.engagement) },
      this.follow.served,
    );
    this.servedOfWhole = surfaces(this.whole.served);
  }

  /** Whose vectors a list of the type is made of. */
  of(type: Type): KnownGraph {
    return type === 'tweet' ? this.engagement : this.follow;
  }
}

function withoutSearches(happened: readonly Happened[], { relations, cutAt }: KnownGraph): Activity {
  const bounds = { edgesOfOne: 1_000, edges: 5_000_000 };
  const activity = new Activity({ relations, ...bounds, sourcesOf: [], clock: () => cutAt });
  const own = new Set(relations.map(({ name }) => name).filter((name) => name !== SEARCHES));
  for (const change of happened.flatMap(({ changes }) => changes))
    if (!('relation' in change) || own.has(change.relation)) activity.take(change);
  return activity;
}

const TYPES = ['tweet', 'user'] as const;
type Type = (typeof TYPES)[number];
type Way = (known: Known, query: EntityKey) => EntityKey[] | Promise<EntityKey[]>;

const served =
  (
    type: Type,
    asked: Partial<SearchAsked> = {},
    by: 'served' | 'forgotten' | 'servedOfWhole' = 'served',
  ): Way =>
  async (known, query) => {
    const { items } = await known[by].search({ query, type, k: FIRST, ...asked });
    return items.map(({ entity }) => entity);
  };

const popularity =
  (type: Type): Way =>
  (known) =>
    Iterator.from(known.of(type).activity.popular(type))
      .take(FIRST)
      .map(({ entity }) => entity)
      .toArray();

/** The query's vector moved back to where its users are. */
function movedBack({ engagement }: Known, query: EntityKey): Float64Array {
  return plus(engagement.vector(query), engagement.relation(SEARCHES, true));
}

/** The way that answers where searchers are known. */
const SERVED: Readonly<Record<Type, string>> = {
  tweet: 'mean of the searchers + relations, as served',
  user: 'mean of the searchers in follow + follows, as served',
};

/** The ways to answer a query. */
const WAYS: Readonly<Record<Type, Readonly<Record<string, Way>>>> = {
  tweet: {
    popularity: popularity('tweet'),
    'the query alone': ({ engagement }, query) => engagement.top('tweet', alone(engagement.vector(query))),
    'query + searches⁻¹': (known, query) => known.engagement.top('tweet', alone(movedBack(known, query))),
    'query + searches⁻¹ + relations, as served where nobody is known': served('tweet', {}, 'forgotten'),
    'mean of the searchers': ({ engagement }, query) =>
      engagement.top('tweet', alone(middle(engagement, engagement, query))),
    'mean of the searchers + relations, as served': served('tweet'),
    'as served, with idle=1d': served('tweet', { idleMs: HALF_LIFE_MS }),
    "searchers' engagements": ({ engagement }, query) => engagement.shared('tweet', query, 0),
    "searchers' engagements / √popularity": ({ engagement }, query) => engagement.shared('tweet', query, 0.5),
    "searchers' engagements, by the mean + relations": ({ engagement }, query) =>
      engagement.shared('tweet', query, 0, engagement.moved('tweet', middle(engagement, engagement, query))),
    'the same relations beside follows in one graph, as served': served('tweet', {}, 'servedOfWhole'),
  },
  user: {
    popularity: popularity('user'),
    'query + searches⁻¹, users of engagement': (known, query) =>
      known.engagement.top('user', alone(movedBack(known, query))),
    'mean of the searchers, users of engagement': ({ engagement }, query) =>
      engagement.top('user', alone(middle(engagement, engagement, query))),
    'mean of the searchers in follow': ({ engagement, follow }, query) =>
      follow.top('user', alone(middle(engagement, follow, query))),
    'mean of the searchers in follow + follows, as served': served('user'),
    'mean in follow of the 20 users nearest to query + searches⁻¹, + follows, as served where nobody is known':
      served('user', {}, 'forgotten'),
    "searchers' follows": ({ engagement, follow }, query) =>
      follow.shared('user', query, 0, [], engagement.searchers(query)),
    "searchers' follows / √popularity": ({ engagement, follow }, query) =>
      follow.shared('user', query, 0.5, [], engagement.searchers(query)),
    "searchers' follows, by the mean + follows": ({ engagement, follow }, query) =>
      follow.shared(
        'user',
        query,
        0,
        follow.moved('user', middle(engagement, follow, query)),
        engagement.searchers(query),
      ),
    'all relations in one graph, as served': served('user', {}, 'servedOfWhole'),
  },
};

/** The mean of the vectors in a graph of those who searched the query as another one knows. */
function middle(searched: KnownGraph, graph: KnownGraph, query: EntityKey): Float64Array {
  return mean(searched.searchers(query).flatMap(([user]) => vectorsOf(graph, user)));
}

function vectorsOf(graph: KnownGraph, user: EntityKey): Float64Array[] {
  return graph.table('user').rowOf(user) === undefined ? [] : [graph.vector(user)];
}

/** Sums by unit of the bootstrap: a query or a user. */
class Figure {
  readonly #units = new Map<string, number>();
  readonly counts: number[] = [];
  readonly sums = new Map<string, number[]>();

  add(unit: string, of: Readonly<Record<string, number>>): void {
    const i = this.#units.get(unit) ?? this.#units.size;
    this.#units.set(unit, i);
    this.counts[i] = (this.counts[i] ?? 0) + 1;
    for (const [way, value] of Object.entries(of)) {
      const sums = this.sums.get(way) ?? [];
      this.sums.set(way, sums);
      sums[i] = (sums[i] ?? 0) + value;
    }
  }

  shown(): Map<string, string> {
    const names = [...this.sums.keys()];
    const counts = Float64Array.from(this.counts);
    const sums = names.map((name) => Float64Array.from(counts, (_, i) => this.sums.get(name)![i] ?? 0));
    const intervals = bootstrap({ counts, sums }, Random.seeded(SEED));
    const percent = (value: number) => (100 * value).toFixed(1);
    return new Map(
      names.map((name, i) => {
        const { mean: middle, low, high } = intervals[i]!;
        return [name, `${percent(middle)} [${percent(low)}, ${percent(high)}]`];
      }),
    );
  }
}

const figures = new Map<string, Figure>();
function figure(name: string): Figure {
  const found = figures.get(name) ?? new Figure();
  figures.set(name, found);
  return found;
}

for (let seed = 0; seed < seeds; seed++) {
  const { truth, happened } = worldOf(seed + 1);
  const cut = Math.floor(SHARE * happened.length);
  const known = new Known(await trained(happened.slice(0, cut), seed), happened.slice(0, cut));
  const communityOf = (query: EntityKey) =>
    truth.communities.findLastIndex((name) => idOf(query).startsWith(`${name} `));
  const isOf = (entity: EntityKey, community: number) =>
    (typeOf(entity) === 'tweet' ? truth.tweets : truth.users).get(idOf(entity)) === community ||
    (typeOf(entity) === 'user' && truth.second.get(idOf(entity)) === community);
  const share = (list: readonly EntityKey[], community: number) =>
    list.length === 0 ? 0 : list.filter((entity) => isOf(entity, community)).length / list.length;
  for (const type of TYPES) {
    const lists = new Map<EntityKey, Map<string, EntityKey[]>>();
    const all = [...known.of(type).table(type).names()];
    for (const query of known.engagement.queries) {
      const community = communityOf(query);
      const made = new Map<string, EntityKey[]>();
      for (const [name, way] of Object.entries(WAYS[type])) made.set(name, await way(known, query));
      lists.set(query, made);
      figure(`${type}: community`).add(`${seed} ${query}`, {
        ...Object.fromEntries([...made].map(([name, list]) => [name, share(list, community)])),
        chance: share(all, community),
      });
    }
    const later = happened
      .slice(cut)
      .flatMap(({ changes }) => changes)
      .filter((each): each is EdgeChange => 'relation' in each);
    const wanted =
      type === 'tweet'
        ? new Set(['likes', 'retweets', 'replies', 'quotes', 'mentions'])
        : new Set(['follows']);
    const byUser = Map.groupBy(later, ({ lhs }) => lhs);
    for (const [user, own] of byUser) {
      const had = new Set([...wanted].flatMap((name) => known.of(type).activity.live(user, name)));
      for (const [i, { relation, rhs: query }] of own.entries()) {
        const made = relation === SEARCHES ? lists.get(query) : undefined;
        if (made === undefined) continue;
        const targets = new Set(
          own
            .slice(i + 1)
            .flatMap(({ relation: name, rhs, removed }) =>
              wanted.has(name) &&
              !removed &&
              !had.has(rhs) &&
              known.of(type).table(type).rowOf(rhs) !== undefined
                ? [rhs]
                : [],
            ),
        );
        if (targets.size === 0) continue;
        const recall = (list: readonly EntityKey[]) =>
          list.filter((entity) => targets.has(entity)).length / Math.min(FIRST, targets.size);
        const recalls = {
          ...Object.fromEntries([...made].map(([name, list]) => [name, recall(list)])),
          chance: FIRST / all.length,
        };
        const asServed = recall(made.get(SERVED[type])!);
        figure(`${type}: after a search`).add(`${seed} ${user}`, recalls);
        figure(`${type}: ahead`).add(
          `${seed} ${user}`,
          Object.fromEntries(Object.entries(recalls).map(([name, value]) => [name, value - asServed])),
        );
      }
    }
  }
}

console.log(`    npx node bench/search.ts ${process.argv.slice(2).join(' ')}\n`);
console.log(
  `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, Node ${process.version}; ${seeds} seeds, each a world and a training of its own.\n`,
);
for (const type of TYPES) {
  const [community, after] = [figure(`${type}: community`), figure(`${type}: after a search`)];
  const [shares, recalls, aheads] = [community.shown(), after.shown(), figure(`${type}: ahead`).shown()];
  console.log(
    `The first ${FIRST} ${type}s; ${community.counts.length} queries, ${after.counts.reduce((a, b) => a + b, 0)} searches of ${after.counts.length} users.\n`,
  );
  console.log(
    '| % | in the community of the query | recall@20 of what came after | ahead of what is served |\n|---|---:|---:|---:|',
  );
  for (const name of ['chance', ...Object.keys(WAYS[type])]) {
    const ahead = name === SERVED[type] ? '' : aheads.get(name);
    console.log(`| ${name} | ${shares.get(name)} | ${recalls.get(name)} | ${ahead} |`);
  }
  console.log(`\nThe same queries as if nobody had searched them, first ${FIRST} ${type}s.\n`);
  console.log('| % | its text | its text and two words that no query has |\n|---|---:|---:|');
  const [plain, longer] = ['its text', 'its text and two words that no query has'].map((what) =>
    figure(`${type}: unknown, ${what}`).shown(),
  );
  for (const [name, value] of plain!) console.log(`| ${name} | ${value} | ${longer!.get(name)} |`);
  console.log('');
}
