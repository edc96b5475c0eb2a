import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { demoActions } from '../../demo/actions.ts';
import { guardedServer } from '../../src/adapters/http/guarded.ts';
import { LISTS_GUARD } from '../../src/adapters/http/serving.ts';
import { RetryableError } from '../../src/errors/errors.ts';
import { entityKey } from '../../src/graph/entity.ts';
import type { Message } from '../../src/pipeline/ports.ts';

let server: FastifyInstance;
let sent: Message[];
let failure: Error | undefined;
beforeEach(async () => {
  sent = [];
  failure = undefined;
  server = await guardedServer({
    ...LISTS_GUARD,
    ...{ host: '127.0.0.1', port: 0, requests: 0, paths: {}, failed: () => undefined },
  });
  demoActions({
    sink: {
      publish: async (messages) => {
        if (failure) throw failure;
        sent.push(...messages);
      },
      takeOver: async () => undefined,
      stop: async () => undefined,
    },
    topicPrefix: 'p.',
    clock: () => 1_000,
    advertiserOf: (ad) => (ad === 'ad:1' ? entityKey('advertiser', 'brand') : undefined),
    knows: (entity) => !entity.endsWith(':invented'),
    groupsOf: (entity) => (entity === 'user:1' ? ['jazz', 'opera'] : []),
  }).add(server);
});
afterEach(() => server.close());

async function post(path: string, payload: object, headers: Record<string, string> = {}) {
  const { statusCode, body } = await server.inject({
    method: 'POST',
    url: path,
    headers: { host: '127.0.0.1:8079', ...headers },
    payload,
  });
  return { status: statusCode, json: JSON.parse(body) };
}
const act = (action: string, entity: string, headers?: Record<string, string>) =>
  post('/demo/action', { action, user: '1', entity }, headers);
const values = () =>
  sent.map(({ topic, key, value }) => [topic, key, JSON.parse(value?.toString() ?? 'null')]);

test('a like, a follow and a click are events of their topics, each younger than the one before', async () => {
  expect(await act('like', 'tweet:7')).toEqual({ status: 200, json: { at: 1_000, topic: 'p.engagement' } });
  expect(await act('follow', 'user:2')).toMatchObject({ status: 200, json: { at: 1_001 } });
  expect(await act('click', 'ad:1')).toMatchObject({ status: 200, json: { at: 1_002 } });
  expect(values()).toEqual([
    ['p.engagement', '1', { userId: '1', tweetId: '7', action: 'like', at: 1_000 }],
    ['p.follow', '1', { followerId: '1', followedId: '2', action: 'follow', at: 1_001 }],
    ['p.ad-click', '1', { userId: '1', adId: '1', advertiserId: 'brand', at: 1_002 }],
  ]);
});

test.each([
  ['like', 'user:2'],
  ['follow', 'tweet:7'],
  ['click', 'ad:2'],
  ['erase', 'user:2'],
  ['like', 'tweet:'],
  ['like', 'tweet:a\nb'],
])('%s of %j is refused, and nothing is sent', async (action, entity) => {
  expect((await act(action, entity)).status).toBe(400);
  expect(sent).toEqual([]);
});

test('nobody can act who is in no graph, and with nothing that is in none', async () => {
  expect(await act('like', 'tweet:invented')).toMatchObject({
    ...{ status: 400, json: { error: 'entity: no graph has tweet:invented' } },
  });
  expect((await act('follow', 'user:invented')).status).toBe(400);
  expect(await post('/demo/action', { action: 'like', user: 'invented', entity: 'tweet:7' })).toMatchObject({
    status: 400,
    json: { error: 'user: no graph has user:invented' },
  });
  expect(sent).toEqual([]);
});

test('a page of another origin may not act, the own one may', async () => {
  for (const origin of ['http://evil.example', 'http://127.0.0.1:8077', 'null'])
    for (const path of ['/demo/action', '/demo/groups'])
      expect([origin, (await post(path, {}, { origin })).status]).toEqual([origin, 403]);
  expect(sent).toEqual([]);
  expect((await act('like', 'tweet:7', { origin: 'http://127.0.0.1:8079' })).status).toBe(200);
});

test('an event that the log does not take is 503, with the reason', async () => {
  failure = new RetryableError('stopped', 'no broker answers');
  const { status, json } = await act('like', 'tweet:7');
  expect([status, json]).toEqual([
    503,
    { error: 'the event was not taken by p.engagement: no broker answers' },
  ]);
});

test('groups are those of the entities asked for', async () => {
  const { json } = await post('/demo/groups', { entities: ['user:1', 'tweet:1'] });
  expect(json).toEqual({ groups: { 'user:1': ['jazz', 'opera'], 'tweet:1': [] } });
  expect((await post('/demo/groups', { entities: Array(201).fill('user:1') })).status).toBe(400);
});
