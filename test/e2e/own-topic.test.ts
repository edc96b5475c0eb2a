import { readdir } from 'node:fs/promises';
import { expect, inject, test } from 'vitest';
import { makeTopic } from '../kafka/make-topic.ts';
import { statusAt } from './answers.ts';
import { deployed, shop } from './deployed.ts';
import { produceRaw, type RawRecord } from './raw-producer.ts';
import { readStore, unlike } from './stored.ts';
import { client } from './topic-ends.ts';
import { fold, readTopic } from './topic-reader.ts';
import { type Running, SMALL, until } from './twhin.ts';

const EVENTS = 1_000;
const AT = Date.UTC(2024, 0, 1);
/** What is wrong with the changes that an event makes. */
const FAULTS = ['relation', 'type', 'swapped'] as const;

/** An event of the view topic. A fault in its mapping rejects the whole event, the edge without the fault included. */
function view(n: number) {
  const fault = n % 5 < FAULTS.length ? FAULTS[n % 5] : undefined;
  const userId = n % 2 === 0 ? `c${n % 40}` : null;
  return { userId, session: `s${n}`, sku: `P${n % 60}`, at: AT + n, ...(fault && { fault }) };
}

const edgesOfView = ({ userId, session, sku, at }: ReturnType<typeof view>) => [
  `session:${session} session-views product:${sku} ${at}`,
  ...(userId === null ? [] : [`customer:${userId} views product:${sku} ${at}`]),
];

/** Of each edge the newest event, as a store has it. */
function newest(edges: readonly string[]): string[] {
  const byName = new Map<string, string>();
  for (const edge of edges) {
    const name = edge.slice(0, edge.lastIndexOf(' '));
    const before = byName.get(name);
    if (before === undefined || Number(before.slice(name.length)) < Number(edge.slice(name.length)))
      byName.set(name, edge);
  }
  return [...byName.values()].sort();
}

const raw = (topic: string, key: string, value: object): RawRecord => ({
  ...{ topic, key, value: JSON.stringify(value), headers: {}, timestamp: Date.now() },
});

async function consumed(running: Running): Promise<number> {
  const url = await running.url();
  const { graphs } = await statusAt(url);
  return graphs[0]?.events.consumed ?? 0;
}

test('a shop: its topics by their own names, its graph alone, wrong mappings as dead letters, erasure', async () => {
  const brokers = inject('brokers');
  const unique = `shop-${process.pid}-${Date.now()}`;
  const [orders, views] = [`${unique}.orders.v2`, `${unique}.web.views`];
  const here = await deployed(`${SMALL} ${shop(orders, views)}`);
  const admin = client(brokers).admin();
  await admin.connect();
  try {
    for (const topic of [orders, views]) await makeTopic(topic, 3);
    const events = Array.from({ length: EVENTS }, (_, n) => view(n));
    const bought = Array.from({ length: 200 }, (_, n) => ({
      ...{ customer: `c${n % 40}`, sku: `P${(7 * n) % 60}`, ts: AT / 1_000 + n },
    }));
    await produceRaw(brokers, [
      ...events.map((event) => raw(views, event.session, event)),
      ...bought.map((event) => raw(orders, event.customer, event)),
    ]);

    // Without --graph: all graphs of the configuration.
    const running = here.start(['run', '--create-topics', '--http', '127.0.0.1:0']);
    await until('all events are consumed', async () => (await consumed(running)) >= EVENTS + bought.length);
    await running.says(/many records of \S+web\.views are rejected as mapping-failed, such as offset \d+/);

    // Each bad event is a letter with its place and reason.
    const full = (name: string) => here.topic(name);
    const bad = events.filter(({ fault }) => fault !== undefined);
    expect(bad).toHaveLength(600);
    const letters = await (async () => {
      await until('all letters are written', async () => {
        return (await readTopic(brokers, full('dead-letter'))).length >= bad.length;
      });
      return readTopic(brokers, full('dead-letter'));
    })();
    const REASONS: Readonly<Record<string, string>> = {
      relation: `changes of topic views: the configuration has no relation "session-view"; expected one of views, buys, session-views`,
      type: `changes of topic views: expected session-views to lead from session to product, seen "sesion" to "product"`,
      swapped: `changes of topic views: expected session-views to lead from session to product, seen "product" to "session"`,
    };
    const places = new Map(
      (await readTopic(brokers, views)).map((record) => [
        `${record.partition} ${record.offset}`,
        String(record.value),
      ]),
    );
    for (const { headers, value } of letters) {
      expect(headers).toMatchObject({ 'source-topic': views, code: 'mapping-failed', graph: 'shop' });
      expect(places.get(`${headers['source-partition']} ${headers['source-offset']}`)).toBe(String(value));
      const { fault } = JSON.parse(String(value));
      expect(headers['reason']).toBe(REASONS[fault]);
    }
    const sessionsOf = (values: readonly unknown[]) =>
      values.map((value) => JSON.parse(String(value)).session);
    expect(sessionsOf(letters.map(({ value }) => value)).sort()).toEqual(
      bad.map(({ session }) => session).sort(),
    );

    // The process goes on, and the good events are edges.
    const later = { userId: 'c1', session: 'later', sku: 'P1', at: AT + 5_000 };
    await produceRaw(brokers, [raw(views, later.session, later)]);
    await until('a later event is consumed', async () => (await consumed(running)) > EVENTS + bought.length);
    expect(running.over).toBe(false);
    const good = [...events.filter(({ fault }) => fault === undefined), later];
    const learned = newest([
      ...good.flatMap(edgesOfView),
      ...bought.map(({ customer, sku, ts }) => `customer:${customer} buys product:${sku} ${ts * 1_000}`),
    ]);
    await until('all edges are committed', async () => {
      return (await readStore(here, 'shop')).edges.length === learned.length;
    });
    expect((await readStore(here, 'shop')).edges).toEqual(learned);

    // An erasure reaches the graph, though the configuration does not name the topic.
    await here.feed('erasure', [{ entity: 'customer:c2', at: AT + 10_000_000 }]);
    const kept = learned.filter((edge) => !edge.startsWith('customer:c2 '));
    expect(kept.length).toBeLessThan(learned.length);
    await until('the erasure is committed', async () => {
      return (await readStore(here, 'shop')).edges.length === kept.length;
    });
    await running.stop();
    const stored = await readStore(here, 'shop');
    expect(stored.edges).toEqual(kept);
    expect(stored.vectors.has('customer:c2')).toBe(false);
    const published = fold(await readTopic(brokers, full('embeddings.shop')));
    expect(unlike(stored.vectors, published)).toEqual([]);
    expect(published.get('customer:c2')?.value).toBe(null);

    // Exactly the shop's topics, store and group exist.
    const of = (names: readonly string[]) => names.filter((name) => name.startsWith(here.prefix)).sort();
    expect(of(await admin.listTopics())).toEqual(
      ['dead-letter', 'embeddings.shop', 'erasure', 'model.shop'].map(full),
    );
    const { groups } = await admin.listGroups();
    expect(of(groups.map(({ groupId }) => groupId))).toEqual([full('shop')]);
    expect(await readdir(here.env['TWHIN_STATE'] ?? '')).toEqual(['shop']);
    expect(Object.keys(Object(await here.json(['stats'])).graphs)).toEqual(['shop']);
    expect(await here.ok(['doctor'])).not.toMatch(/engagement|follow/);
  } finally {
    await admin.disconnect();
  }
});
