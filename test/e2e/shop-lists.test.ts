import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { loadConfig } from '../../src/config/load.ts';
import { Random } from '../../src/sampling/random.ts';
import { serveGraphs } from '../../src/serve-graphs.ts';
import { decodeEmbedding } from '../../topics/embeddings.ts';
import { decodeRelation } from '../../topics/model.ts';
import { makeTopic } from '../kafka/make-topic.ts';
import { deployed, shop } from './deployed.ts';
import { readTopic } from './topic-reader.ts';
import { type Twhin, until } from './twhin.ts';

const [CUSTOMERS, SESSIONS, PRODUCTS] = [24, 20, 60];
const BETA = 9;
const K = 12;

let twhin: Twhin;
/** Topics that were there before, by names of the shop's own. */
let orders: string;
let views: string;
let made = 0;
beforeEach(async () => {
  const unique = `shop-${process.pid}-${++made}-${Date.now()}`;
  [orders, views] = [`${unique}.orders.v2`, `${unique}.web.views`];
  twhin = await deployed(configuration());
  for (const topic of [orders, views]) await makeTopic(topic, 3);
  await twhin.ok(['topics', 'apply']);
});

const configuration = () => `
  model: { dim: 16, beta: ${BETA} }, limits: { maxEntities: 10_000, maxKnownEdges: 10_000 }, ${shop(orders, views)}
  surfaces: { products: { from: ['customer', 'session'], to: 'product', relations: ['buys'], leaveOut: ['buys'] } },`;

/** Two tastes: products of one half are bought and viewed by one half of the customers. */
function events() {
  const random = Random.seeded(7);
  let at = Date.UTC(2024, 4, 1);
  const productOf = (who: number) => `p${2 * random.below(PRODUCTS / 2) + (who % 2)}`;
  const bought = Array.from({ length: 300 }, () => {
    const who = random.below(CUSTOMERS);
    return { customer: `c${who}`, sku: productOf(who), ts: ++at / 1_000 };
  });
  const viewed = Array.from({ length: 500 }, () => {
    const who = random.below(SESSIONS);
    const userId = who % 4 === 0 ? null : `c${who % CUSTOMERS}`;
    return { session: `s${who}`, userId, sku: productOf(who), at: ++at };
  });
  return { bought, viewed };
}

const order = z.object({ customer: z.string(), sku: z.string() });
const view = z.object({ session: z.string(), userId: z.string().nullable(), sku: z.string() });
const numbers = (vector: ArrayLike<number> | null | undefined) => Array.from(vector ?? []);

/** All that the topics tell, read by a client that is not ours: vectors, and edges by relation. */
async function told() {
  const brokers = inject('brokers');
  const vectors = new Map<string, number[]>();
  for (const { key, value, headers } of await readTopic(brokers, twhin.topic('embeddings.shop')))
    vectors.set(key ?? '', numbers(decodeEmbedding(headers, value).vector));
  const relations = new Map<string, number[]>();
  for (const { key, value, headers } of await readTopic(brokers, twhin.topic('model.shop'))) {
    const { relation, inverse, vector } = decodeRelation(key, headers, value);
    if (!inverse) relations.set(relation, numbers(vector));
  }
  const edges = { buys: new Map(), views: new Map(), 'session-views': new Map() } as Record<
    string,
    Map<string, Set<string>>
  >;
  const add = (relation: string, lhs: string, rhs: string) => {
    const targets = edges[relation]!;
    targets.set(lhs, (targets.get(lhs) ?? new Set()).add(rhs));
  };
  for (const { value } of await readTopic(brokers, orders)) {
    const { customer, sku } = order.parse(JSON.parse(String(value)));
    add('buys', `customer:${customer}`, `product:${sku}`);
  }
  for (const { value } of await readTopic(brokers, views)) {
    const { session, userId, sku } = view.parse(JSON.parse(String(value)));
    add('session-views', `session:${session}`, `product:${sku}`);
    if (userId !== null) add('views', `customer:${userId}`, `product:${sku}`);
  }
  return { vectors, relations, edges };
}
type Told = Awaited<ReturnType<typeof told>>;

interface Item {
  readonly entity: string;
  readonly score: number | null;
}

function byScore(a: { entity: string; score: number }, b: { entity: string; score: number }): number {
  return b.score - a.score || (a.entity < b.entity ? -1 : 1);
}

function distance(a: readonly number[], b: readonly number[]): number {
  return Math.hypot(...a.map((value, i) => value - b[i]!));
}

/** The plain ranking: all products by the weighted sum of −β‖from + relation − product‖. */
function ranking(all: Told, from: string, by: readonly string[], leaveOut: readonly string[]): Item[] {
  const own = all.vectors.get(from)!;
  const edgesOf = (relation: string) => all.edges[relation]!.get(from)?.size ?? 0;
  const total = by.reduce((sum, relation) => sum + edgesOf(relation), 0);
  const everybodys = (relation: string) =>
    [...all.edges[relation]!.values()].reduce((sum, targets) => sum + targets.size, 0);
  const sum = by.reduce((before, relation) => before + everybodys(relation), 0);
  const weightOf = (relation: string) => (total > 0 ? edgesOf(relation) / total : everybodys(relation) / sum);
  const seen = new Set(leaveOut.flatMap((relation) => [...(all.edges[relation]!.get(from) ?? [])]));
  return [...all.vectors]
    .filter(([entity]) => entity.startsWith('product:') && !seen.has(entity))
    .map(([entity, vector]) => {
      const score = by.reduce((before, relation) => {
        const point = own.map((value, i) => value + all.relations.get(relation)![i]!);
        return before - weightOf(relation) * BETA * distance(point, vector);
      }, 0);
      return { entity, score };
    })
    .sort(byScore);
}

/** Equal entities in order, and scores to nine digits: sums are added in another order here. */
function expectEqual(what: string, found: readonly Item[], wanted: readonly Item[]): void {
  expect([what, found.map(({ entity }) => entity)]).toEqual([what, wanted.map(({ entity }) => entity)]);
  for (const [i, { score }] of found.entries()) expect(score).toBeCloseTo(wanted[i]!.score!, 9);
}

const answer = z.object({ items: z.array(z.object({ entity: z.string(), score: z.number().nullable() })) });

test('a shop’s lists are the ranking of what its topics tell: by HTTP, by candidates and in process', async () => {
  const { bought, viewed } = events();
  await twhin.feed(orders, bought);
  await twhin.feed('views', viewed);
  await twhin.ok(['run', '--until-caught-up']);
  const all = await told();
  expect([...all.relations.keys()].sort()).toEqual(['buys', 'session-views', 'views']);

  const serving = twhin.start(['serve', '--http', '127.0.0.1:0']);
  const url = await serving.url();
  await until('serve is ready', async () => (await fetch(`${url}/readyz`)).ok);
  const config = await loadConfig(twhin.env, twhin.folder);
  expect(config.surfaces.map(({ name }) => name)).toEqual(['products']);
  const inProcess = await servedHere();
  try {
    const ask = async (path: string, body?: object) => {
      const headers = { 'content-type': 'application/json' };
      const init = body && { method: 'POST', headers, body: JSON.stringify(body) };
      const reply = await fetch(`${url}${path}`, init);
      const json: unknown = await reply.json();
      expect([path, reply.status, json]).toEqual([path, 200, json]);
      return answer.parse(json).items;
    };
    const both = ['buys', 'views'];
    for (let i = 0; i < CUSTOMERS; i++) {
      const from = `customer:c${i}`;
      for (const [asked, by, leaveOut] of [
        [{ surface: 'products' }, ['buys'], ['buys']],
        [{ to: 'product' }, both, both],
        [{ to: 'product', relation: 'views' }, ['views'], ['views']],
      ] as const) {
        const wanted = ranking(all, from, by, leaveOut).slice(0, K);
        const query = new URLSearchParams({ ...asked, from, k: String(K) });
        const what = String(query);
        expectEqual(what, await ask(`/v1/candidates?${query}`), wanted);
        expectEqual(what, (await inProcess.candidates({ ...asked, from, k: K })).items, wanted);
      }
    }
    for (let i = 0; i < SESSIONS; i++) {
      const from = `session:s${i}`;
      const by = ['session-views'];
      const list = `/v1/candidates?from=${from}&k=${K}`;
      // The surface leaves out what was bought: a session sees again what it viewed.
      expectEqual(from, await ask(`${list}&surface=products`), ranking(all, from, by, []).slice(0, K));
      const wanted = ranking(all, from, by, by).slice(0, K);
      expectEqual(from, await ask(`${list}&to=product`), wanted);
      expectEqual(from, (await inProcess.candidates({ to: 'product', from, k: K })).items, wanted);
    }

    // Similar products, without one that is out of stock.
    const first = all.vectors.get('product:p1')!;
    const near = [...all.vectors]
      .filter(([entity]) => entity.startsWith('product:') && !['product:p1', 'product:p3'].includes(entity))
      .map(([entity, vector]) => ({ entity, score: -BETA * distance(first, vector) }))
      .sort(byScore)
      .slice(0, K);
    const similar = { entity: 'product:p1', k: K, exclude: ['product:p3'] };
    expectEqual('similar', await ask(`/v1/similar?entity=product:p1&k=${K}&exclude=product:p3`), near);
    expectEqual('similar', await ask('/v1/similar', similar), near);
    expectEqual('similar', (await inProcess.similar(similar))!.items, near);

    // The scores of products that somebody else has chosen.
    const candidates = Array.from({ length: 20 }, (_, i) => `product:p${3 * i}`);
    for (const [from, relation] of [
      ['customer:c1', 'buys'],
      ['session:s4', 'session-views'],
    ] as const) {
      const ranked = ranking(all, from, [relation], []).filter(({ entity }) => candidates.includes(entity));
      const rank = { from, relation, candidates };
      expectEqual(relation, await ask('/v1/rank', rank), ranked);
      expectEqual(relation, (await inProcess.rank(rank))!.items, ranked);
    }
  } finally {
    await inProcess.stop();
    serving.kill('SIGTERM');
    await serving.ended;
  }

  // Files of lists: of all customers by the surface, and of some sessions by the type.
  const lists = async (name: string, ...args: string[]) => {
    const out = join(twhin.folder, name);
    const said = await twhin.ok(['candidates', ...args, '--k', String(K), '--out', out]);
    const lines = (await readFile(out, 'utf8')).trimEnd().split('\n');
    const parsed = lines.map((line) => answer.extend({ from: z.string() }).parse(JSON.parse(line)));
    expect(said).toBe(`${parsed.length} lists in ${out}\n`);
    return parsed;
  };
  const ofCustomers = await lists('c.ndjson', '--surface', 'products', '--from', 'customer');
  expect(ofCustomers).toHaveLength(CUSTOMERS);
  for (const { from, items } of ofCustomers)
    expectEqual(from, items, ranking(all, from, ['buys'], ['buys']).slice(0, K));
  const ids = join(twhin.folder, 'ids.txt');
  await writeFile(ids, 's3\nsession:s7\n');
  const ofSessions = await lists('s.ndjson', '--from', 'session', '--to', 'product', '--ids', ids);
  expect(ofSessions.map(({ from }) => from)).toEqual(['session:s3', 'session:s7']);
  for (const { from, items } of ofSessions) {
    const by = ['session-views'];
    expectEqual(from, items, ranking(all, from, by, by).slice(0, K));
  }
});

/** The answers in this process, by the same configuration. */
async function servedHere() {
  const { default: configure } = await import(twhin.env['TWHIN_CONFIG']!);
  const config = { topicPrefix: twhin.prefix, kafka: { brokers: [twhin.env['KAFKA_BROKERS']!] } };
  const serving = await serveGraphs((kit) => ({ ...configure(kit), ...config }));
  await serving.ready();
  return serving;
}
