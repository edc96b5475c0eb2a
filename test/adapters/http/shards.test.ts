import { createServer, type RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { HttpServer } from '../../../src/adapters/http/guarded.ts';
import { serveMerged } from '../../../src/adapters/http/merging.ts';
import { serveVectors } from '../../../src/adapters/http/serving.ts';
import { SERVING_PATHS } from '../../../src/adapters/http/serving-schema.ts';
import { HttpShardLink, shardLinks } from '../../../src/adapters/http/shards.ts';
import { FatalError } from '../../../src/errors/errors.ts';
import type { EntityKey } from '../../../src/graph/entity.ts';
import type { ScorerName } from '../../../src/model/settings.ts';
import type { Merged } from '../../../src/serve/merged.ts';
import { SEARCHED } from '../../../src/serve/search.ts';
import { SURFACES } from '../../../src/serve/surfaces.ts';
import { Users } from '../../../src/serve/users.ts';
import { ad, advertiser, edge, query, surfacesOf, T0, tweet, user } from '../../serve/serve-fixture.ts';
import { CutGraph, mergedOf, PARTS, shardOf } from '../../serve/shard-fixture.ts';

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

const PAGE = new Map([['/', { type: 'text/html', body: Buffer.from('a page') }]]);
const failures: string[] = [];
const outside = {
  ...{ host: '127.0.0.1', port: 0, version: '1' },
  metrics: { contentType: 'text/plain', render: async () => '' },
  answered: () => undefined,
  failed: (path: string, reason: string) => void failures.push(`${path}: ${reason}`),
};

function opened(server: HttpServer): string {
  stops.push(() => server.stop());
  return server.url;
}

/** A server for each shard of the graph; unready: why it should not be asked. */
function serveShards(graph: CutGraph, unready: () => string[] = () => []): Promise<string[]> {
  return Promise.all(
    graph.cut.map(async (part, i) =>
      opened(
        await serveVectors({
          ...{ ...outside, unready, surfaces: surfacesOf(part), shard: shardOf([part], PARTS[i]!) },
          ...{ users: new Users({ graphs: [part], random: () => 0 }), page: new Map(), status: () => [] },
        }),
      ),
    ),
  );
}

function mergedOver(urls: readonly string[]): Merged {
  const links = shardLinks(urls);
  stops.push(() => links.forEach((link) => void link.close()));
  return mergedOf(links);
}

/** Numbers that are the same in every run. */
function randomOf(seed: number) {
  let state = seed;
  const next = () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31;
  };
  return {
    next,
    below: (n: number) => Math.floor(next() * n),
    of: <T>(some: readonly T[]): T => some[Math.floor(next() * some.length)]!,
  };
}

const DIM = 6;
const [USERS, TWEETS, ADS, ADVERTISERS] = [60, 300, 60, 7];
const ids = <T>(count: number, of: (id: number) => T) => Array.from({ length: count }, (_, i) => of(i));
const tweets = ids(TWEETS, tweet);
const WORDS = ['jazz', 'chess', 'news', 'tickets', 'near me', 'for beginners', 'podcast', 'live'];
const QUERIES = WORDS.flatMap((a) => WORDS.map((b) => query(a === b ? a : `${a} ${b}`)));
const SEARCHES = QUERIES.length;
const entities: readonly EntityKey[] = [...ids(USERS, user), ...tweets, ...ids(ADS, ad), ...QUERIES];
/** Known queries, some that are alike, and some that are like none. */
const SEARCHED_FOR = [...QUERIES, ...WORDS.map((word) => query(`${word}s livee`)), query('xylophone')];
const RELATIONS: readonly (readonly [string, (id: number) => EntityKey, number])[] = [
  ['likes', tweet, TWEETS],
  ['retweets', tweet, TWEETS],
  ['follows', user, USERS],
  ['clicks', ad, ADS],
  ['searches', (id) => QUERIES[id] ?? query(`unknown ${id}`), SEARCHES],
];

describe.each<ScorerName>([...(['transe-l1', 'transe-l2', 'transe-l2-squared', 'twhin'] as const)])(
  'three processes and one, with %s',
  (scorer) => {
    it('give the same answers, bit for bit in score and order, while vectors and edges change', async () => {
      const graph = new CutGraph();
      const random = randomOf(scorer.length * 7_919);
      // Few different numbers, so that many scores tie; and some that are a rounding apart.
      const number = () => random.of([0, 0.5, -0.5, 1, 1 + 2 ** -23, 1e-5, random.next() - 0.5]);
      const vector = () => ids(DIM, number);
      let at = T0;
      const change = () => {
        const kind = random.below(10);
        const lhs = user(random.below(USERS + 5));
        if (kind < 3) graph.put(random.of(entities), vector(), at);
        else if (kind === 3) graph.put(random.of(entities), null);
        else if (kind === 5 && random.below(4) === 0) graph.take({ erased: random.of(entities), at });
        else if (kind === 4)
          graph.take(edge(advertiser(random.below(ADVERTISERS)), 'promotes', ad(random.below(ADS)), ++at));
        else {
          const [relation, of, count] = random.of(RELATIONS);
          const removed = random.below(4) === 0;
          graph.take(
            edge(lhs, relation, of(random.below(count)), ++at, removed),
            removed && relation === 'follows',
          );
        }
      };
      for (const entity of entities) graph.put(entity, vector());
      for (const [relation] of RELATIONS) graph.relate(relation, vector(), scorer, 0.7);
      graph.relate('searches', vector(), scorer, 0.7, true);
      for (let i = 0; i < 600; i++) change();
      const whole = surfacesOf(graph.whole);
      const merged = mergedOver(await serveShards(graph));
      const told = { partial: false, missingPartitions: [] };
      const asJson = (answer: object | undefined): unknown =>
        answer && { ...JSON.parse(JSON.stringify(answer)), ...told };
      const kinds = new Set<string>();
      const searched = new Set<string>();
      for (let round = 0; round < 24; round++) {
        for (let i = 0; i < 20; i++) change();
        const asked = {
          surface: SURFACES[round % 3]!, // Some have no vector.
          user: user(round % 4 === 0 ? USERS + random.below(5) : random.below(USERS)),
          k: 1 + random.below(40),
          relation: undefined,
          exclude: ids(random.below(20), () => random.of(entities)),
          explain: random.below(2) === 0,
          idleMs: random.of([undefined, 50, 500]),
          decayMs: [undefined, 2, 50][Math.floor(round / 3) % 3],
        };
        const list = await merged.candidates(asked);
        expect(JSON.parse(JSON.stringify(list))).toEqual(asJson(await whole.candidates(asked)));
        kinds.add(`${asked.surface} ${list.fallback}`);
        for (const [what, count] of Object.entries(list.filtered)) if (count > 0) kinds.add(what);
        const some = random.of(entities);
        const near = await merged.similar(some, asked.k, undefined, asked.explain);
        expect(near).toEqual(asJson(await whole.similar(some, asked.k, undefined, asked.explain)));
        if (near?.items.some(({ reason }) => reason !== undefined)) kinds.add('shared');
        for (const type of SEARCHED) {
          const search = {
            query: round === 0 ? query('xylophone') : random.of(SEARCHED_FOR),
            type,
            k: asked.k,
            idleMs: asked.idleMs,
          };
          const found = await merged.search(search);
          expect(JSON.parse(JSON.stringify(found))).toEqual(asJson(await whole.search(search)));
          const { known, used } = found.query;
          searched.add(known ? 'known' : `${used.length} alike`);
        }
        const [relation, of, count] = random.of(RELATIONS);
        const candidates = ids(1 + random.below(30), () => of(random.below(count + 3)));
        const unique = [...new Set(candidates)];
        const negatives = ids(random.below(3) * 10, () => of(random.below(count + 3)));
        const ranks = await merged.rank(asked.user, relation, unique, undefined, negatives);
        expect(ranks).toEqual(asJson(await whole.rank(asked.user, relation, unique, undefined, negatives)));
        if (ranks?.items.some(({ probability }) => probability !== undefined)) kinds.add('probability');
      }
      expect([...kinds].sort()).toEqual([
        ...['ads null', 'ads popular', 'blocked', 'erased', 'excluded', 'home null', 'home popular', 'idle'],
        ...['probability', 'seen', 'shared', 'who-to-follow null', 'who-to-follow popular'],
      ]);
      expect([...searched].sort()).toEqual(['0 alike', '3 alike', 'known']);
      expect(failures).toEqual([]);
    });
  },
);

describe('a link to a shard', () => {
  async function linkTo(listener: RequestListener): Promise<HttpShardLink> {
    const server = createServer(listener);
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    stops.push(() => {
      server.closeAllConnections();
      server.close();
    });
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const link = new HttpShardLink(`http://127.0.0.1:${port}`);
    stops.push(() => link.close());
    return link;
  }
  const replying = (status: number, body: string) =>
    linkTo((_, reply) => void reply.writeHead(status, { 'content-type': 'application/json' }).end(body));

  it('that hangs, before its answer or within it, gives up in time', async () => {
    const silent = await linkTo(() => undefined);
    await expect(silent.ask('state', {}, 30)).rejects.toMatchObject({ reason: 'late' });
    const half = await linkTo((_, reply) => void reply.writeHead(200).write('{"holdings":'));
    await expect(half.ask('state', {}, 100)).rejects.toMatchObject({ reason: 'late' });
  });

  it.each([
    [503, '{"error":"not ready"}', { reason: 'busy', message: 'not ready' }],
    [429, '{"error":"slow down"}', { reason: 'busy' }],
    [409, '{"error":"moved"}', { reason: 'moved' }],
    [500, '{"error":"inside"}', { reason: 'broken' }],
    [404, '{"error":"nothing there","paths":{}}', { reason: 'broken' }],
    [200, '{"holdings":[{}]}', { reason: 'broken' }],
    [200, 'no JSON', { reason: 'broken' }],
    [200, '', { reason: 'broken' }],
    [400, '{"error":"relation: no","field":"relation"}', { statusCode: 400, field: 'relation' }],
  ])('tells %i with %s for what it is', async (status, body, told) => {
    const link = await replying(status, body);
    await expect(link.ask('state', {}, 60_000)).rejects.toMatchObject(told);
  });

  it('that nobody is at, or that ends within an answer, is unreachable', async () => {
    const cut = await linkTo((_, reply) => {
      reply.writeHead(200, { 'content-length': 100 }).write('{');
      setImmediate(() => reply.destroy());
    });
    await expect(cut.ask('state', {}, 60_000)).rejects.toMatchObject({ reason: 'unreachable' });
    const nobody = new HttpShardLink('http://127.0.0.1:1');
    await expect(nobody.ask('state', {}, 60_000)).rejects.toMatchObject({ reason: 'unreachable' });
  });

  it('asks again where its connection was closed at that moment', async () => {
    const sockets = new Set<Socket>();
    let answered = 0;
    const link = await linkTo((asking, reply) => {
      sockets.add(asking.socket);
      // The second request on a connection finds it closed.
      if (sockets.size === 1 && answered++ > 0) asking.socket.resetAndDestroy();
      else asking.resume().on('end', () => reply.end('{"holdings":[]}'));
    });
    for (let i = 0; i < 3; i++)
      expect(await link.ask('state', {}, 60_000)).toEqual({ holdings: [], status: [] });
    const never = await linkTo((asking) => void asking.socket.resetAndDestroy());
    await expect(never.ask('state', {}, 60_000)).rejects.toMatchObject({ reason: 'unreachable' });
  });

  it('keeps its connection', async () => {
    const ports = new Set<number | undefined>();
    const link = await linkTo((asking, reply) => {
      ports.add(asking.socket.remotePort);
      asking.resume().on('end', () => reply.end('{"holdings":[]}'));
    });
    for (let i = 0; i < 4; i++)
      expect(await link.ask('state', {}, 60_000)).toEqual({ holdings: [], status: [] });
    expect(ports.size).toBe(1);
  });
});

describe('the paths of a shard', () => {
  it('refuse questions that are none, with the field', async () => {
    const graph = new CutGraph();
    graph.put(user(1), [0, 0]);
    const [url] = await serveShards(graph);
    const post = async (path: string, body: object) => {
      const init = {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      };
      const reply = await fetch(`${url}${path}`, init);
      return [reply.status, Reflect.get(Object(await reply.json()), 'field')];
    };
    const look = { graph: 'g', space: 'a', fingerprint: 'f', type: 'user' };
    const query = { vector: 'AAAAAAAAAAAAAAAAAAAAAA==', weight: 1, relation: '', scorer: 'twhin', beta: 1 };
    const top = { ...look, queries: [query], leftOut: [], count: 5 };
    expect((await post('/shard/top', top))[0]).toBe(200);
    const nan = Buffer.from(new Float64Array([Number.NaN, 0]).buffer).toString('base64');
    for (const [body, answer] of [
      [{ ...top, count: -1 }, [400, 'count']],
      [{ ...top, leftOut: ['user:1', 'nobody'] }, [400, 'leftOut.1']],
      [{ ...top, queries: [{ ...query, vector: nan }] }, [400, 'queries.0.vector']],
      [{ ...top, queries: [{ ...query, vector: 'x' }] }, [400, 'queries.0.vector']],
      [{ ...top, queries: [{ ...query, scorer: 'best' }] }, [400, 'queries.0.scorer']],
      [{ ...top, graph: 'h' }, [400, 'graph']],
      // No list is longer, no surface has more relations, and no user more edges.
      [{ ...top, count: 501 }, [400, 'count']],
      [{ ...top, queries: Array(3).fill(query) }, [400, 'queries']],
      [{ ...top, recent: Array(101).fill(['user:1', 'AAAAAAAAAAA=']) }, [400, 'recent']],
      [{ ...top, leftOut: Array(12_002).fill('user:1') }, [400, 'leftOut']],
      [{ ...top, none: 'x'.repeat(4 << 20) }, [413, undefined]],
      [{ ...top, queries: [{ ...query, vector: `${query.vector}`.slice(0, 0) }] }, [409, undefined]],
    ] as const)
      expect(await post('/shard/top', body)).toEqual(answer);
    const many = Array(2_001).fill('user:1');
    expect(await post('/shard/scores', { ...look, queries: [query], entities: many })).toEqual([
      ...[400, 'entities'],
    ]);
    const asked = { surface: 'home', user: 'user:1', k: 501 };
    expect(await post('/shard/begin-candidates', { asked })).toEqual([400, 'asked.k']);
    expect(await post('/shard/nothing', {})).toEqual([404, undefined]);
    expect(failures).toEqual([]);
  });

  it('answer 503 before all is read', async () => {
    const urls = await serveShards(new CutGraph(), () => ['g: 7 % of the vectors are read']);
    const merged = mergedOver(urls);
    await merged.shards.look(60_000);
    expect(merged.shards.unready()).toEqual(
      urls.map((url) => `${url}: not ready: g: 7 % of the vectors are read`),
    );
  });
});

describe('twhin serve --shards over HTTP', () => {
  it('has the paths and answers of one process, says what is partial, and is ready with its shards', async () => {
    const graph = new CutGraph();
    for (const id of ids(60, (i) => i)) graph.put(user(id), [id, 0]);
    graph.relate('follows', [0, 0], 'transe-l1');
    const urls = await serveShards(graph);
    const merged = mergedOver(urls);
    const url = opened(await serveMerged({ ...outside, merged, page: PAGE }));
    const get = async (path: string, init?: RequestInit) => {
      const reply = await fetch(url + path, init);
      const json: unknown = await reply.json();
      return { status: reply.status, json, headers: reply.headers };
    };
    expect(await get('/readyz')).toMatchObject({ status: 503, json: { ready: false } });
    await merged.shards.look(60_000);
    expect(await get('/readyz')).toMatchObject({ status: 200, json: { ready: true, reasons: [] } });
    expect((await get('/readyz')).json).toMatchObject({
      shards: urls.map((shard) => ({ url: shard, up: true })),
    });
    const list = '/v1/candidates?surface=who-to-follow&user=1&k=3';
    const since = new Date(T0).toISOString();
    const answers = {
      StatusAnswer: await get('/v1/status'),
      CandidatesAnswer: await get(list),
      SearchAnswer: await get('/v1/search?q=x&type=user&k=3'),
      SimilarAnswer: await get('/v1/similar?entity=user:1&k=3'),
      RankAnswer: await get('/v1/rank', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ user: '1', relation: 'follows', candidates: ['user:2', 'user:99'] }),
      }),
    };
    expect(answers.CandidatesAnswer.json).toMatchObject({
      items: [0, 2, 3].map((id) => ({ entity: user(id), score: -Math.abs(id - 1) })),
      ...{ partial: false, missingPartitions: [], fallback: null },
    });
    expect(answers.StatusAnswer.json).toMatchObject({
      ...{ version: '1', ready: true, reasons: [], actions: [] },
      graphs: [{ graph: 'g', vectors: { user: 60 } }],
      shards: urls.map((shard) => ({ url: shard, up: true, since })),
    });
    const { json: document } = await get('/openapi.json');
    for (const [schema, { json }] of Object.entries(answers))
      expect(document).toHaveProperty(
        ['components', 'schemas', schema, 'required'],
        expect.arrayContaining(Object.keys(Object(json))),
      );
    expect(await get('/nowhere')).toMatchObject({ status: 404, json: { paths: SERVING_PATHS } });
    expect(Object.keys(SERVING_PATHS)).toContain('/v1/rank');
    expect(await get('/v1/search?q=x&type=ad')).toMatchObject({ status: 400, json: { field: 'type' } });
    expect(await get('/v1/search?q=x&type=user&graph=h')).toMatchObject({
      status: 400,
      json: { field: 'graph' },
    });
    const page = await fetch(url);
    expect([page.status, await page.text()]).toEqual([200, 'a page']);
    expect(await get(`${list}&interests=mixture`)).toMatchObject({
      status: 400,
      json: { field: 'interests' },
    });
    expect(await get(`${list}&relation=loves`)).toMatchObject({ status: 400, json: { field: 'relation' } });
    expect(await get('/v1/similar?entity=user:99')).toMatchObject({ status: 404, json: { field: 'entity' } });
    expect(await get('/v1/similar?entity=foo:1')).toMatchObject({ status: 400, json: { field: 'entity' } });
    expect(await get(`${list}&exclude=tweet:1`)).toMatchObject({ status: 400, json: { field: 'exclude.0' } });
    expect(await get(`${list}%FF`)).toMatchObject({ status: 400, json: { field: 'k' } });
    const wrong = await get('/v1/rank', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ user: '1', relation: 'follows', candidates: ['user:2', 'tweet:1'] }),
    });
    expect(wrong).toMatchObject({ status: 400, json: { field: 'candidates.1' } });
    const wrongly = await get('/v1/rank', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ user: '1', relation: 'follows', candidates: ['user:2'], negatives: ['ad:1'] }),
    });
    expect(wrongly).toMatchObject({ status: 400, json: { field: 'negatives.0' } });
    graph.take(edge(user(1), 'follows', user(3), T0));
    expect((await get('/v1/recent?user=1')).json).toEqual({
      user: user(1),
      items: [{ relation: 'follows', entity: user(3), at: T0, removed: false, blocked: false }],
    });
    expect(await get('/v1/recent?user=1&k=0')).toMatchObject({ status: 400, json: { field: 'k' } });
    expect((await get('/v1/users/random')).json).toEqual({ user: expect.stringMatching(/^user:/) });
    // Two shards end; then all of them.
    const [first, second, third] = stops.splice(0, 3);
    await second!();
    expect((await get(list)).json).toMatchObject({ partial: true, missingPartitions: PARTS[1] });
    await first!();
    await third!();
    await merged.shards.look(60_000);
    expect(await get('/readyz')).toMatchObject({
      status: 503,
      json: { shards: [0, 1, 2].map(() => ({ up: false, since, reason: expect.any(String) })) },
    });
    const away = await get(list);
    expect([away.status, away.headers.get('retry-after')]).toEqual([503, '1']);
    expect(failures).toEqual([]);
  });
});

it('a failure to listen is told', async () => {
  const merged = mergedOf([]);
  const url = new URL(opened(await serveMerged({ ...outside, merged, page: PAGE })));
  await expect(serveMerged({ ...outside, port: Number(url.port), merged, page: PAGE })).rejects.toThrow(
    FatalError,
  );
});
