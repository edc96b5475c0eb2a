/**
 * What a search should answer with, where no relation leads from a query to a tweet: ways to compose one, on the demo's
 * world, whose communities are known. `npx node bench/search.ts [--world EVENTS] [--seeds N]`.
 *
 * A graph is trained on the first 85 % of the events. Each query that was searched by then is asked for its first 20 tweets
 * and users: the share of these that belong to the community the query names. For each search in the rest of the events: the
 * share of what the searcher engages with afterwards, or follows, among the first 20, new to the searcher and known before.
 * Unknown queries are the known ones, one at a time, as if nobody had searched for that text. Intervals are 95 %, by
 * bootstrap over queries, and over users for what came after a search.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
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
import { type EdgeChange, type GraphChange, RELATIONS } from '../src/graph/edge.ts';
import { type EntityKey, idOf, typeOf } from '../src/graph/entity.ts';
import { silentLog } from '../src/log.ts';
import { SCORERS } from '../src/model/scorers.ts';
import { Random } from '../src/sampling/random.ts';
import { Activity } from '../src/serve/activity.ts';
import { Gate } from '../src/serve/gate.ts';
import { OwnScans } from '../src/serve/own-scans.ts';
import type { SearchAnswer } from '../src/serve/search.ts';
import { readEntity } from '../src/serve/served-graph.ts';
import { SharedPasses } from '../src/serve/shared-passes.ts';
import { Spaces } from '../src/serve/spaces.ts';
import { Surfaces } from '../src/serve/surfaces.ts';
import { VectorTable } from '../src/serve/vector-table.ts';
import { type WeightedQuery, weightedTop } from '../src/serve/weighted-top.ts';
import { EVENT_TOPICS, readRecord, topicName } from '../topics/index.ts';
import { measured } from './child.ts';

const COMMAND = join(import.meta.dirname, '..', 'bin', 'twhin.js');
const [GRAPH, SHARE, FIRST] = ['engagement', 0.85, 20];
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

/** Trains a graph on these events, in a log and a store of its own. */
async function trained(happened: readonly Happened[], seed: number): Promise<Space> {
  const folder = await mkdtemp(join(tmpdir(), 'twhin-search-'));
  const env = {
    ...process.env,
    KAFKA_BROKERS: `file:${join(folder, 'log')}`,
    TWHIN_STATE: join(folder, 'state'),
  };
  await measured([COMMAND, 'topics', 'apply'], env);
  const load = (set: readonly string[] = []) => loadConfig(env, folder, set);
  const connection = await connect((await load()).kafka);
  const eventLog = connection.log();
  try {
    const sink = connection.sink();
    for (let i = 0; i < happened.length; i += 2_000) {
      const messages = happened.slice(i, i + 2_000).map(({ topic, key, value }) => ({
        ...{ topic: topicName('twhin.', topic), key, value, headers: {} },
      }));
      await sink.publish(messages);
    }
    await sink.stop();
    const signals = {
      stopping: new AbortController().signal,
      interrupted: () => false,
      ignore: () => undefined,
    };
    const progress = new EvaluationProgress(GRAPH, signals, { log: () => silentLog, output: terminal });
    const asked = { from: 'earliest', until: 'latest', holdout: 0.5, users: 1, seeds: seed + 1 };
    const request = await readStreamRequest(
      { ...asked, graph: GRAPH, set: [], paper: false },
      { config: load },
    );
    const { config, graph } = request.own[seed]!;
    const { range, topicIds } = await resolveStream(request, eventLog, progress);
    const place = { graph: GRAPH, name: 'search', folder: join(folder, 'store') };
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
    return await loadSpace(graph, place);
  } finally {
    await eventLog.close();
    await connection.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** What is known at the cut, to make lists of. */
class Known {
  readonly activity: Activity;
  readonly cutAt: number;
  readonly spaces: Spaces;
  readonly surfaces: Surfaces;
  readonly #space: Space;
  readonly #tables = new Map<string, VectorTable>();
  /** By query: the users who searched it, newest last. */
  readonly #searchers = new Map<EntityKey, Map<EntityKey, number>>();

  constructor(space: Space, happened: readonly Happened[]) {
    this.#space = space;
    this.spaces = new Spaces(1_000_000);
    this.cutAt = Math.max(...happened.slice(-100).flatMap(({ changes }) => changes.map(({ at }) => at)));
    this.activity = new Activity({
      ...{ edgesOfOne: 1_000, edges: 5_000_000, sourcesOf: [], recentSourcesOf: [SEARCHES] },
      ...{ actorsOf: [], actors: 0 },
      clock: () => this.cutAt,
    });
    for (const change of happened.flatMap(({ changes }) => changes)) {
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
    const graph = {
      ...{ name: GRAPH, relations: RELATIONS, spaces: this.spaces, activity: this.activity },
      ...{ eventsSince: () => 0, staleSince: () => undefined },
    };
    this.surfaces = new Surfaces({ graphs: [graph], passes: PASSES, adsOfOne: 2 });
  }

  /** What is read of the topics. */
  #publish(space: Space): void {
    const of = {
      graph: GRAPH,
      dtype: 'float32',
      step: 1,
      at: this.cutAt,
      epoch: 1,
      fingerprint: 'f',
      space: 's',
    } as const;
    const { scorer, dim } = space.model;
    for (const { name, lhs, rhs } of RELATIONS) {
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

  /** Answers as if nobody had searched the query: without its vector. */
  async unknown(type: 'tweet' | 'user', query: EntityKey, text: string): Promise<SearchAnswer> {
    const at = this.spaces.current!.at;
    const vector = this.table('query').vectorOf(query)!;
    const of = {
      graph: GRAPH,
      dtype: 'float32',
      step: 1,
      at,
      epoch: 1,
      fingerprint: 'f',
      space: 's',
    } as const;
    this.spaces.erase(query);
    try {
      return await this.surfaces.search({ query: readEntity(`query:${text}`), type, k: FIRST });
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

  /** What the searchers engaged with or followed, those of most weight first; a younger edge weighs more. */
  shared(type: string, query: EntityKey, discount: number, near: readonly WeightedQuery[] = []): EntityKey[] {
    const relations = type === 'user' ? ['follows'] : ['likes', 'retweets', 'replies', 'quotes', 'mentions'];
    const weights = new Map<EntityKey, number>();
    for (const [searcher] of this.searchers(query)) {
      const { edges } = this.activity.of(searcher);
      for (const name of relations)
        for (const [target, { at, removed }] of edges.get(name) ?? [])
          if (!removed)
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
      for (const name of relations)
        for (const [target, { at, removed }] of this.activity.of(each).edges.get(name) ?? [])
          if (!removed) sums.set(target, (sums.get(target) ?? 0) + 2 ** ((at - this.cutAt) / HALF_LIFE_MS));
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

type Way = (known: Known, type: string, query: EntityKey) => EntityKey[] | Promise<EntityKey[]>;

const served =
  (idleMs?: number): Way =>
  async (known, type, query) => {
    const asked = type === 'tweet' || type === 'user' ? type : undefined;
    if (asked === undefined) throw new Error(`nobody searches for the type ${type}`);
    const { items } = await known.surfaces.search({ query, type: asked, k: FIRST, idleMs });
    return items.map(({ entity }) => entity);
  };

/** The ways to answer a query. */
const WAYS: Readonly<Record<string, Way>> = {
  popularity: (known, type) =>
    Iterator.from(known.activity.popular(type))
      .take(FIRST)
      .map(({ entity }) => entity)
      .toArray(),
  'the query alone': (known, type, query) => known.top(type, alone(known.vector(query))),
  'query + searches⁻¹': (known, type, query) =>
    known.top(type, alone(plus(known.vector(query), known.relation(SEARCHES, true)))),
  'query + searches⁻¹ + relations': (known, type, query) =>
    known.top(type, known.moved(type, plus(known.vector(query), known.relation(SEARCHES, true)))),
  'mean of the searchers': (known, type, query) => known.top(type, alone(middle(known, query))),
  'mean of the searchers + relations, as served': served(),
  'as served, with idle=1d': served(HALF_LIFE_MS),
  "searchers' engagements": (known, type, query) => known.shared(type, query, 0),
  "searchers' engagements / √popularity": (known, type, query) => known.shared(type, query, 0.5),
  "searchers' engagements, by the mean + relations": (known, type, query) =>
    known.shared(type, query, 0, known.moved(type, middle(known, query))),
};

function middle(known: Known, query: EntityKey): Float64Array {
  return mean(known.searchers(query).flatMap(([user]) => vectorsOf(known, user)));
}

function vectorsOf(known: Known, user: EntityKey): Float64Array[] {
  return known.table('user').rowOf(user) === undefined ? [] : [known.vector(user)];
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
  for (const type of ['tweet', 'user'] as const) {
    const lists = new Map<EntityKey, Map<string, EntityKey[]>>();
    const all = [...known.table(type).names()];
    for (const query of known.queries) {
      const community = communityOf(query);
      const made = new Map<string, EntityKey[]>();
      for (const [name, way] of Object.entries(WAYS)) made.set(name, await way(known, type, query));
      lists.set(query, made);
      figure(`${type}: community`).add(`${seed} ${query}`, {
        ...Object.fromEntries([...made].map(([name, list]) => [name, share(list, community)])),
        chance: share(all, community),
      });
      for (const [what, text] of [
        ['its text', idOf(query)],
        ['its text and two words that no query has', `${idOf(query)} tonight downtown`],
      ] as const) {
        const { items, query: of, fallback } = await known.unknown(type, query, text);
        figure(`${type}: unknown, ${what}`).add(`${seed} ${query}`, {
          'in the community': share(
            items.map(({ entity }) => entity),
            community,
          ),
          'queries used that are of the community':
            of.used.length === 0
              ? 0
              : of.used.filter((each) => communityOf(each.query) === community).length / of.used.length,
          'answered with what is popular': fallback === null ? 0 : 1,
        });
      }
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
      const had = new Set([...wanted].flatMap((name) => known.activity.live(user, name)));
      for (const [i, { relation, rhs: query }] of own.entries()) {
        const made = relation === SEARCHES ? lists.get(query) : undefined;
        if (made === undefined) continue;
        const targets = new Set(
          own
            .slice(i + 1)
            .flatMap(({ relation: name, rhs, removed }) =>
              wanted.has(name) && !removed && !had.has(rhs) && known.table(type).rowOf(rhs) !== undefined
                ? [rhs]
                : [],
            ),
        );
        if (targets.size === 0) continue;
        const recall = (list: readonly EntityKey[]) =>
          list.filter((entity) => targets.has(entity)).length / Math.min(FIRST, targets.size);
        figure(`${type}: after a search`).add(`${seed} ${user}`, {
          ...Object.fromEntries([...made].map(([name, list]) => [name, recall(list)])),
          chance: FIRST / all.length,
        });
      }
    }
  }
}

console.log(`    npx node bench/search.ts ${process.argv.slice(2).join(' ')}\n`);
console.log(
  `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, Node ${process.version}; ${seeds} seeds, each a world and a training of its own.\n`,
);
for (const type of ['tweet', 'user']) {
  const [community, after] = [figure(`${type}: community`), figure(`${type}: after a search`)];
  const [shares, recalls] = [community.shown(), after.shown()];
  console.log(
    `The first ${FIRST} ${type}s; ${community.counts.length} queries, ${after.counts.reduce((a, b) => a + b, 0)} searches of ${after.counts.length} users.\n`,
  );
  console.log('| % | in the community of the query | recall@20 of what came after |\n|---|---:|---:|');
  for (const name of ['chance', ...Object.keys(WAYS)])
    console.log(`| ${name} | ${shares.get(name)} | ${recalls.get(name)} |`);
  console.log('');
}
console.log('The same queries as if nobody had searched them, first 20 tweets.\n');
console.log('| % | its text | its text and two words that no query has |\n|---|---:|---:|');
const [plain, longer] = ['its text', 'its text and two words that no query has'].map((what) =>
  figure(`tweet: unknown, ${what}`).shown(),
);
for (const [name, value] of plain!) console.log(`| ${name} | ${value} | ${longer!.get(name)} |`);
