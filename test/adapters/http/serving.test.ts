import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { HttpServer } from '../../../src/adapters/http/guarded.ts';
import type { ServingOptions } from '../../../src/adapters/http/serving.ts';
import { openApi, SERVING_PATHS } from '../../../src/adapters/http/serving-schema.ts';
import type { ServedStatus } from '../../../src/serve/answers.ts';
import { Entities } from '../../../src/serve/entities.ts';
import { clustering } from '../../../src/serve/interests.ts';
import { graphOf, query, surfacesOf, T0, type TestGraph, tweet, user } from '../../serve/serve-fixture.ts';
import { ask, type Replied } from './ask.ts';
import { openLists } from './lists.ts';

const TWEETS = 600;
const STATUS: Omit<ServedStatus, 'reasons'> = {
  graph: 'g',
  relations: [{ name: 'likes', lhs: 'user', rhs: 'tweet' }],
  surfaces: [{ name: 'home', from: ['user'], to: 'tweet' }],
  space: 'a',
  step: 1,
  staleSince: null,
  vectorsAsOf: T0,
  eventsAsOf: T0 + 1,
  eventsSince: T0,
  vectors: { user: 1, tweet: TWEETS },
  read: { vectors: 0.4, events: 1 },
};
let graph: TestGraph;
let unready: string[];
let answered: [string, number][];
let failures: string[];
const servers: HttpServer[] = [];

function fresh(): void {
  graph = graphOf({ unready: () => unready });
  graph.put(user(1), [0, 0]);
  for (let i = 1; i <= TWEETS; i++) graph.put(tweet(i), [i, 0]);
  graph.relate('likes', [0, 0]);
  unready = [];
  answered = [];
  failures = [];
}
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

async function serve(options: Partial<ServingOptions> = {}): Promise<string> {
  const server = await begin(options);
  servers.push(server);
  return server.url;
}

function begin(options: Partial<ServingOptions>): Promise<HttpServer> {
  return openLists(graph, {
    isReady: () => unready.length === 0,
    status: () => [{ ...STATUS, reasons: unready }],
    answered: (path, code) => void answered.push([path, code]),
    failed: (path, reason) => void failures.push(`${path}: ${reason}`),
    ...options,
  });
}

const post = (url: string, path: string, body: unknown, headers: Record<string, string> = {}) =>
  ask(url, path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body),
  });

const search = (fields: Record<string, string>) => new URLSearchParams(fields).toString();
const home = (fields: Record<string, string> = {}) =>
  `/v1/candidates?${search({ surface: 'home', user: '1', ...fields })}`;

describe('twhin serve over HTTP', () => {
  beforeEach(fresh);

  test('answers what is answered in this process, by GET and by POST alike', async () => {
    graph.put(user(2), [3, 0]);
    for (const text of ['jazz news', 'jazz radio']) graph.put(query(text), [text.length, 0]);
    graph.relate('searches', [0, 0], { rhs: 'query', inverse: true });
    for (const id of [1, 2]) graph.edges(user(id), 'likes', [tweet(5), tweet(9)]);
    for (let i = 1; i <= TWEETS; i++) graph.spaces.active(tweet(i), T0 - 60_000 * i);
    const centroidsOf = clustering(
      (task) => task(),
      () => 0,
      () => 0,
    );
    const surfaces = surfacesOf(graph, { centroidsOf });
    const entities = new Entities({ graphs: [graph], random: () => 0 });
    const url = await serve({ surfaces, entities });
    const home = { surface: 'home', user: '1', k: 2 };
    const own = { from: user(1), to: 'tweet', relation: 'likes', graph: 'g', exclude: [tweet(4), tweet(6)] };
    const near = { entity: 'query: JAZZ  news', k: 2 };
    const found = { q: ' JAZZ  news', type: 'tweet', k: 2 };
    const rank = { relation: 'likes', candidates: [tweet(TWEETS), tweet('x'), tweet(1)] };
    const [idle, idleFor] = [{ idle: '2m' }, { idleMs: 120_000 }];
    const rows: readonly (readonly [string, object, unknown])[] = [
      ...[
        home,
        own,
        { ...home, k: 500 },
        { ...home, explain: true },
        { ...home, interests: 'mixture' as const },
      ].map((asked) => ['/v1/candidates', asked, surfaces.candidates(asked)] as const),
      ['/v1/candidates', { ...home, ...idle }, surfaces.candidates({ ...home, ...idleFor })],
      ['/v1/similar', near, surfaces.similar(near)],
      ['/v1/similar', { ...near, explain: true }, surfaces.similar({ ...near, explain: true })],
      ['/v1/search', found, surfaces.search(found)],
      ['/v1/search', { ...found, ...idle }, surfaces.search({ ...found, ...idleFor })],
      ['/v1/rank', { ...rank, user: '1' }, surfaces.rank({ ...rank, user: '1' })],
      ['/v1/rank', { ...rank, from: user(2) }, surfaces.rank({ ...rank, from: user(2) })],
      ['/v1/recent', { user: '1', k: 1 }, entities.recent({ user: '1', k: 1 })],
      ['/v1/recent', { entity: user(2) }, entities.recent({ entity: user(2) })],
    ];
    for (const [path, asked, answer] of rows) {
      const json: { readonly items: readonly unknown[] } = JSON.parse(JSON.stringify(await answer));
      const wanted = { status: 200, json };
      expect(json.items.length).toBeGreaterThan(0);
      const text = Object.entries(asked).map(([name, value]) => [name, String(value)]);
      const query = `${path}?${search(Object.fromEntries(text))}`;
      if (path !== '/v1/rank') expect([query, await ask(url, query)]).toMatchObject([query, wanted]);
      if (['/v1/candidates', '/v1/similar', '/v1/rank'].includes(path))
        expect([asked, await post(url, path, asked)]).toMatchObject([asked, wanted]);
    }
    expect(answered[0]).toEqual(['/v1/candidates', 200]);
  });

  test('answers some entity of a type', async () => {
    const url = await serve();
    expect((await ask(url, '/v1/random?type=user')).json).toEqual({ entity: user(1) });
    graph.put(user(1), null);
    expect(await ask(url, '/v1/random?type=user')).toMatchObject({
      status: 404,
      json: { error: 'no user has a vector yet' },
    });
  });

  test('says how far it is, also before all is read, and offers no actions', async () => {
    unready = ['g: 40 % of the vectors are read'];
    const url = await serve();
    const { status, json } = await ask(url, '/v1/status');
    expect([status, json]).toEqual([
      200,
      {
        version: '1',
        ready: false,
        reasons: unready,
        graphs: [{ ...STATUS, reasons: unready }],
        actions: [],
      },
    ]);
    for (const method of ['POST', 'PUT', 'DELETE'])
      for (const path of ['/', '/v1/status', '/v1/recent', '/demo/action'])
        expect([404, 405]).toContain((await ask(url, path, { method })).status);
  });

  test('says 404 for what has no vector, with the field', async () => {
    const url = await serve();
    const failure = (field: string) => ({ error: expect.stringContaining('vector'), field });
    const similar = await ask(url, '/v1/similar?entity=tweet:nobody');
    expect([similar.status, similar.json]).toEqual([404, failure('entity')]);
    for (const asked of [
      { user: 'nobody', relation: 'likes', candidates: [tweet(1)] },
      { user: '1', relation: 'retweets', candidates: [tweet(1)] },
    ]) {
      const rank = await post(url, '/v1/rank', asked);
      expect([rank.status, rank.json]).toEqual([404, failure('user')]);
    }
  });

  test.each(['__proto__', 'constructor', 'user:a:b', 'ünï', '%', "' OR 1=1 --", '<script>'])(
    'knows nothing of the user %s, and answers with what is popular',
    async (id) => {
      const url = await serve();
      const answer = { fallback: 'popular', items: [] };
      expect((await ask(url, home({ user: id }))).json).toMatchObject(answer);
      expect((await post(url, '/v1/candidates', { surface: 'home', user: id })).json).toMatchObject(answer);
      expect(failures).toEqual([]);
    },
  );
});

/** Asks, and gives the status with the field that the answer names. */
async function fieldOf(replied: Promise<Replied>): Promise<unknown[]> {
  const { status, json } = await replied;
  const failure = typeof json === 'object' && json !== null ? json : {};
  expect(failure).toMatchObject({ error: expect.any(String) });
  return [status, 'field' in failure ? failure.field : undefined];
}

const LONG = 'x'.repeat(601);
/** Too long for a store, but not for the schema. */
const LONG_ID = 'x'.repeat(257);

/** Rows of a table: wrong values of a field of a list, and wrong ends of a path. */
const atHome = (field: string, ...values: string[]) =>
  values.map((value) => [field, home({ [field]: value })]);
const behind = (field: string, path: string, ...ends: string[]) => ends.map((end) => [field, path + end]);

describe('a bad request is 400 with the field named', () => {
  // It refuses and answers none of it: all tests share one server, and nobody is put off as one client too many.
  let server: HttpServer;
  beforeAll(async () => {
    fresh();
    server = await begin({ requests: 0 });
  });
  afterAll(() => server.stop());

  test.each([
    ...atHome('k', '', ' 5', '5 ', ...'0 -1 501 9999 99999 1e2 0x10 1.5 +5 05 NaN Infinity'.split(' ')),
    ['k', `${home()}&k=5&k=6`],
    ['k', `${home()}&k[]=5`, 'k[]'],
    ['k', `${home()}&k=%ZZ`],
    ...behind('to', '/v1/candidates?', 'user=1', 'from=user:1&to=advertiser', 'from=user:1&to=Tweet'),
    ['to', home({ to: 'tweet' })],
    ...atHome('surface', 'search', '__proto__'),
    ['surface', `${home()}&surface=ads`],
    ...atHome('interests', 'all', 'medoids'),
    ...behind('from', '/v1/candidates?', 'surface=home', 'surface=home&from=tweet:1'),
    ...behind('from', '/v1/candidates?to=tweet&from=', 'foo:1', '1234'),
    ['from', home({ from: 'user:1' })],
    ...atHome('user', '', 'user:', LONG, LONG_ID, 'a\nb', 'a\r\nb', 'a\u0000b', '\u0007', ' ', '\u0085'),
    ...atHome('user', 'tweet:1', 'foo:1', 'a:b', 'User:1', 'user :1'),
    ['user', `${home()}&user=2`],
    ...behind('user', '/v1/candidates?surface=home&user=', '%FF', '%C3', '%C3%28', '%ED%A0%80', '%'),
    ...behind('user', '/v1/candidates?surface=home&user=', '%4', '%zz', '%E0%80%AF'),
    ['%FF', `${home()}&%FF=1`],
    ['a b', `${home()}&a%20b=%FF`],
    ...atHome('relation', 'loves', 'follows', '__proto__', ''),
    ...atHome('explain', 'yes', '1'),
    ...['user:1', 'nonsense', `tweet:${LONG_ID}`, 'tweet:a\nb'].map((exclude) => [
      ...['exclude.0', home({ exclude })],
    ]),
    ...['foo:1', 'tweet:', ':12', ''].map((id) => ['exclude.1', home({ exclude: `tweet:1,${id}` })]),
    ...atHome('exclude', 'tweet:1,'.repeat(1_001)),
    ['exclude', `${home()}&exclude=tweet:1&exclude=tweet:2`],
    ['limit', home({ limit: '5' })],
    ...atHome('idle', '', '5', 'd', '0d', '1.5h', '1e2s', '5 d', '5D', '-1d', '123456s'),
    ['__proto__', home({ ['__proto__' + '']: 'x' })],
    ['constructor', `${home()}&constructor=x`],
    ...atHome('graph', 'h', ''),
    ['entity', '/v1/similar'],
    ...behind('entity', '/v1/similar?entity=', 'foo:1', '__proto__:1', 'tweet', 'tweet:', 'tweet:a%0Ab'),
    ['entity', `/v1/similar?entity=tweet:${LONG}`],
    ...behind('graph', '/v1/similar?entity=tweet:1&graph=', 'h', '__proto__'),
    ['q', '/v1/search?type=tweet'],
    ...behind('q', '/v1/search?type=tweet&q=', '', '%20%20', 'a%0Ab', 'a&q=b', LONG, LONG_ID, 'jazz%FF'),
    ...behind('type', '/v1/search?q=jazz', '', '&type=advertiser', '&type=__proto__'),
    ['user', '/v1/search?q=jazz&type=user&user=1'],
    ...behind('entity', '/v1/recent', '', '?entity=foo:1', '?entity=user:1&user=1'),
    ...behind('user', '/v1/recent?user=', 'tweet:1', 'a%0Ab'),
    ['graph', '/v1/recent?user=1&graph=g'],
    ...behind('type', '/v1/random', '', '?type=product'),
  ])('%s of GET %s', async (field, path, named = field) => {
    expect(await fieldOf(ask(server.url, path))).toEqual([400, named]);
    expect(failures).toEqual([]);
  });

  const list = { surface: 'home', user: '1' };
  const rank = { user: '1', relation: 'likes', candidates: ['tweet:1'] };
  test.each<readonly [string, string, unknown]>([
    ...[0, -1, 501, 1.5, '5', null, [5], 1e9].map((k) => ['k', '/v1/candidates', { ...list, k }] as const),
    ['k', '/v1/candidates', `{"surface":"home","user":"1","k":1e400}`],
    ['from', '/v1/candidates', {}],
    ['from', '/v1/candidates', 'null'],
    ['surface', '/v1/candidates', { ...list, surface: ['home'] }],
    ['interests', '/v1/candidates', { ...list, interests: true }],
    ['exclude.1', '/v1/similar', { entity: 'tweet:1', exclude: ['tweet:2', 'user:1'] }],
    ...['', LONG, LONG_ID, 'a\nb', '\ud800', 1, null, {}, []].map(
      (user) => ['user', '/v1/candidates', { ...list, user }] as const,
    ),
    ['exclude', '/v1/candidates', { ...list, exclude: 'tweet:1' }],
    ['exclude.0', '/v1/candidates', { ...list, exclude: [7] }],
    ['exclude', '/v1/candidates', { ...list, exclude: Array(10_001).fill('tweet:1') }],
    ['explain', '/v1/candidates', { ...list, explain: 'true' }],
    ['limit', '/v1/candidates', { ...list, limit: 5 }],
    ['idle', '/v1/candidates', { ...list, idle: 30 }],
    ['user', '/v1/rank', { ...rank, user: '' }],
    ['relation', '/v1/rank', { ...rank, relation: 'promotes' }],
    ['relation', '/v1/rank', { user: '1', candidates: ['tweet:1'] }],
    ['candidates', '/v1/rank', { ...rank, candidates: [] }],
    ['candidates', '/v1/rank', { ...rank, candidates: Array(1_001).fill('tweet:1') }],
    ['candidates.2', '/v1/rank', { ...rank, candidates: ['tweet:1', 'tweet:2', 'tweet'] }],
    ['candidates.1', '/v1/rank', { ...rank, candidates: ['tweet:1', 'user:1'] }],
    ['negatives', '/v1/rank', { ...rank, negatives: ['tweet:2'] }],
    ['the request', '/v1/rank', '[]'],
    ['the request', '/v1/candidates', '"home"'],
    ['body', '/v1/candidates', '{"surface":'],
    ['body', '/v1/candidates', Buffer.from('{"surface":"home","user":"\xff"}', 'latin1')],
    ['body', '/v1/candidates', ''],
    ['body', '/v1/candidates', '{"surface":"home","user":"1","__proto__":{"k":5}}'],
    ['body', '/v1/rank', '{"constructor":{"prototype":{"k":5}}}'],
  ])('%s of POST %s with %j', async (field, path, body) => {
    expect(await fieldOf(post(server.url, path, body))).toEqual([400, field]);
    expect(failures).toEqual([]);
  });

  test('an unknown field, in a short answer however long its name is, and however many there are', async () => {
    const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`field${i}`, 1]));
    for (const [field, more] of [
      ['x'.repeat(100), { ['x'.repeat(200_000)]: 1 }],
      ['field0', many],
    ] as const) {
      const replied = await post(server.url, '/v1/candidates', { surface: 'home', user: '1', ...more });
      expect([replied.status, replied.json]).toEqual([
        400,
        { error: `${field}: there is no such field`, field },
      ]);
    }
  });

  test('surface, where no graph that is served has a relation for it', async () => {
    graph = graphOf({ relations: [{ name: 'likes', lhs: 'user', rhs: 'tweet' }] });
    const url = await serve();
    expect(await fieldOf(ask(url, home({ surface: 'ads' })))).toEqual([400, 'surface']);
    expect(await fieldOf(ask(url, '/v1/search?q=jazz&type=user'))).toEqual([400, 'type']);
  });
});

describe('the limits of the server', () => {
  beforeEach(fresh);

  test('a body may have 256 KB, and no more', async () => {
    const url = await serve();
    const body = JSON.stringify({
      surface: 'home',
      user: '1',
      exclude: Array(10_000).fill('tweet:12345678'),
    });
    const padded = (bytes: number) => body + ' '.repeat(bytes - body.length);
    expect((await post(url, '/v1/candidates', padded(256 * 1024))).status).toBe(200);
    expect((await post(url, '/v1/candidates', padded(256 * 1024 + 1))).status).toBe(413);
    expect((await post(url, '/v1/rank', 'x'.repeat(1_000_000))).status).toBe(413);
    expect(failures).toEqual([]);
  });

  test('a body that is not said to be JSON is refused', async () => {
    const url = await serve();
    const body = JSON.stringify({ surface: 'home', user: '1' });
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/xml',
      'multipart/form-data',
    ])
      expect([type, (await post(url, '/v1/candidates', body, { 'content-type': type })).status]).toEqual([
        type,
        415,
      ]);
  });

  test('a path is answered for its own methods alone', async () => {
    const url = await serve();
    const allowed = async (method: string, path: string) => {
      const { status, headers } = await ask(url, path, { method });
      return [status, headers['allow']];
    };
    for (const path of ['/v1/search?q=a&type=tweet', '/openapi.json', '/healthz', '/readyz', '/metrics'])
      expect([path, ...(await allowed('POST', path))]).toEqual([path, 405, 'GET, HEAD']);
    expect(await allowed('GET', '/v1/rank')).toEqual([405, 'POST']);
    expect(await allowed('HEAD', '/v1/rank')).toEqual([405, 'POST']);
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND']) {
      expect([method, ...(await allowed(method, home()))]).toEqual([method, 405, 'GET, HEAD, POST']);
      expect([method, ...(await allowed(method, '/v1/rank'))]).toEqual([method, 405, 'POST']);
    }
    expect(failures).toEqual([]);
  });

  test('an unknown path is 404 with all paths', async () => {
    const url = await serve();
    for (const path of ['/', '/v1', '/v1/candidates/', '/v2/candidates', '/__proto__', '/V1/similar'])
      expect(await ask(url, path)).toMatchObject({ status: 404, json: { paths: SERVING_PATHS } });
    expect(answered[0]).toEqual(['unknown', 404]);
  });

  test('503 with Retry-After while the vectors of the graph are not read, for lists alone', async () => {
    unready = ['g: 7 % of the vectors are read', 'h: 0 % of the events are read'];
    const url = await serve();
    const answers = [
      ask(url, home()),
      post(url, '/v1/candidates', { surface: 'home', user: '1' }),
      ask(url, '/v1/similar?entity=tweet:1'),
      ask(url, '/v1/search?q=jazz&type=tweet'),
      ask(url, '/v1/recent?user=1'),
      ask(url, '/v1/random?type=user'),
      post(url, '/v1/similar', { entity: 'tweet:1' }),
      post(url, '/v1/rank', { user: '1', relation: 'likes', candidates: [tweet(1)] }),
    ];
    for (const answer of answers) {
      const { status, headers, json } = await answer;
      expect([status, headers['retry-after'], json]).toEqual([
        ...[503, '1', { error: `not ready: ${unready.join('; ')}`, ready: false }],
      ]);
    }
    expect(await ask(url, '/readyz')).toMatchObject({
      status: 503,
      json: { ready: false, reasons: unready },
    });
    for (const path of ['/healthz', '/metrics', '/openapi.json'])
      expect((await ask(url, path)).status).toBe(200);
    unready = [];
    expect(await ask(url, '/readyz')).toMatchObject({ status: 200, json: { ready: true, reasons: [] } });
    expect((await ask(url, home())).status).toBe(200);
  });

  test('a failure inside is 500, told to the log and not to the client', async () => {
    const surfaces = surfacesOf(graph);
    surfaces.candidates = () => {
      throw new Error('secret');
    };
    const url = await serve({ surfaces });
    const { status, json } = await ask(url, home());
    expect([status, json]).toEqual([500, { error: 'the request could not be answered' }]);
    expect(failures).toEqual([`${home()}: secret`]);
  });
});

/** All values of the field `$ref` in a document. */
function refsOf(value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) => (key === '$ref' ? [each] : refsOf(each)));
}

/** What a JSON pointer such as `#/components/schemas/Failure` leads to. */
function resolved(document: unknown, ref: unknown): unknown {
  let value = document;
  for (const step of String(ref).split('/').slice(1)) {
    const name = step.replaceAll('~1', '/');
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = Reflect.get(value, name);
  }
  return value;
}

describe('openapi.json', () => {
  const document: unknown = JSON.parse(JSON.stringify(openApi('1')));
  beforeEach(fresh);

  test('has references that all lead somewhere', async () => {
    const url = await serve();
    const { headers, json } = await ask(url, '/openapi.json');
    expect(headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    expect(headers['content-type']).toMatch(/^application\/json/);
    expect(json).toEqual(document);
    expect(json).toMatchObject({ openapi: '3.1.0', info: { version: '1' } });
    const refs = refsOf(json);
    expect(refs.length).toBeGreaterThan(10);
    expect(refs.filter((ref) => typeof resolved(json, ref) !== 'object')).toEqual([]);
  });

  test('has the paths and methods of the server', async () => {
    const url = await serve();
    const paths = resolved(document, '#/paths');
    const described = Object.entries(typeof paths === 'object' && paths !== null ? paths : {}).flatMap(
      ([path, methods]) => Object.keys(Object(methods)).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const served: string[] = [];
    for (const path of Object.keys(SERVING_PATHS).filter((each) => each.startsWith('/v1/')))
      for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'PATCH'])
        if (![404, 405].includes((await ask(url, path, { method })).status ?? 404))
          served.push(`${method} ${path}`);
    expect(described.sort()).toEqual(served.sort());
  });

  test('names each operation once, so that generated clients have names', async () => {
    const operations: unknown[] = Object.values(Object(resolved(document, '#/paths'))).flatMap((methods) =>
      Object.values(Object(methods)).map((operation) => Reflect.get(Object(operation), 'operationId')),
    );
    expect(operations.every((name) => typeof name === 'string' && /^[a-z][A-Za-z]+$/.test(name))).toBe(true);
    expect(new Set(operations).size).toBe(operations.length);
  });

  test('describes each refusal that comes, with its headers', async () => {
    const url = await serve();
    const rank = { user: '1', relation: 'likes', candidates: [tweet(1)] };
    const limited = await serve({ requests: 1 });
    await ask(limited, '/v1/status');
    const large = await post(url, '/v1/rank', { ...rank, none: 'x'.repeat(256 << 10) });
    const elsewhere = await ask(url, '/v1/similar', { headers: { host: 'elsewhere' } });
    for (const [path, method, status, answer, header] of [
      ['/v1/rank', 'post', 413, large, undefined],
      ['/v1/rank', 'post', 415, await ask(url, '/v1/rank', { method: 'POST', body: '{}' }), undefined],
      ['/v1/rank', 'post', 405, await ask(url, '/v1/rank'), 'Allow'],
      ['/v1/candidates', 'get', 405, await ask(url, '/v1/candidates', { method: 'PUT' }), 'Allow'],
      ['/v1/similar', 'get', 421, elsewhere, undefined],
      ['/v1/status', 'get', 429, await ask(limited, '/v1/status'), 'Retry-After'],
    ] as const) {
      expect([path, answer.status]).toEqual([path, status]);
      const at = ['paths', path, method, 'responses', `${status}`];
      expect(document).toHaveProperty([...at, 'content', 'application/json', 'schema', '$ref']);
      expect(Object.keys(Object(answer.json))).toEqual(['error']);
      if (header === undefined) continue;
      expect(answer.headers).toHaveProperty(header.toLowerCase());
      expect(document).toHaveProperty([...at, 'headers', header]);
    }
  });

  test('has defaults that are as their schemas say', () => {
    const wrong: unknown[] = [];
    const look = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return;
      if ('type' in value && 'default' in value && typeof value.type === 'string') {
        const type = Array.isArray(value.default) ? 'array' : typeof value.default;
        const fits = type === value.type || (type === 'number' && value.type === 'integer');
        const listed =
          !('enum' in value) || (Array.isArray(value.enum) && value.enum.includes(value.default));
        if (!fits || !listed) wrong.push(value);
      }
      for (const each of Object.values(value)) look(each);
    };
    look(document);
    expect(wrong).toEqual([]);
  });

  test('tells the limits of a count, of GET as of POST', () => {
    const limits = { type: 'integer', minimum: 1, maximum: 500, default: 20 };
    for (const path of ['candidates', 'similar', 'search']) {
      const parameters = resolved(document, `#/paths/~1v1~1${path}/get/parameters`);
      expect(parameters).toContainEqual({ name: 'k', in: 'query', required: false, schema: limits });
    }
    expect(resolved(document, '#/components/schemas/CandidatesBody/properties/k')).toEqual(limits);
  });

  test('describes each answer as it is', async () => {
    const url = await serve();
    const keysOf = (schema: string) =>
      Object.keys(Object(resolved(document, `#/components/schemas/${schema}/properties`)));
    const body = { user: '1', relation: 'likes', candidates: [tweet(1)] };
    const unavailable = async () => {
      unready = ['g: 7 % of the vectors are read'];
      return ask(url, home());
    };
    for (const [schema, { json }] of [
      ['CandidatesAnswer', await ask(url, home())],
      ['SimilarAnswer', await ask(url, '/v1/similar?entity=tweet:1')],
      ['SearchAnswer', await ask(url, '/v1/search?q=jazz&type=tweet')],
      ['RankAnswer', await post(url, '/v1/rank', body)],
      ['RecentAnswer', await ask(url, '/v1/recent?user=1')],
      ['RandomAnswer', await ask(url, '/v1/random?type=user')],
      ['StatusAnswer', await ask(url, '/v1/status')],
      ['Failure', await ask(url, home({ k: '0' }))],
      ['Unavailable', await unavailable()],
    ] as const)
      expect([schema, Object.keys(Object(json)).sort()]).toEqual([schema, keysOf(schema).sort()]);
  });
});
