import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { json, type Place, place } from './captured.ts';

/** A configuration with one graph of its own. relations: those of the graph, in this order. */
const shop = (relations: string) => `
export default ({ z, defineTopic, idField, instantField, entityKey }) => ({
  entityTypes: ['customer', 'product'],
  relations: ${relations}.map((name) => ({ name, lhs: 'customer', rhs: 'product' })),
  topics: [
    defineTopic({
      name: 'orders',
      schema: z.object({ c: idField, p: idField, kind: z.string(), swapped: z.boolean().optional(), at: instantField }),
      key: ({ c }) => c,
      changes: ({ c, p, kind, swapped, at }) => {
        const ends = [entityKey('customer', c), entityKey('product', p)];
        const [lhs, rhs] = swapped ? ends.reverse() : ends;
        return [{ lhs, relation: kind, rhs, at, removed: false }];
      },
    }),
  ],
  graphs: { shop: { topics: ['orders'], relations: ${relations} } },
});
`;
const AT = 1_704_067_200_000;

let here: Place;
beforeEach(async () => {
  here = await place();
  await writeFile(join(here.folder, 'twhin.config.ts'), shop(`['views', 'buys']`));
});
afterEach(() => here.remove());

const event = (c: string, p: string, kind: string, more = {}) =>
  JSON.stringify({ c, p, kind, at: AT, ...more });

async function feed(lines: readonly string[], ...options: string[]) {
  const file = join(here.folder, 'events.ndjson');
  await writeFile(file, lines.map((line) => `${line}\n`).join(''));
  return here.run('feed', file, '--topic', 'orders', ...options);
}

test('a graph of one’s own is the only one that commands know', async () => {
  const plan = await here.run('topics', 'plan');
  const created = plan.out.filter((line) => line.startsWith('create '));
  expect(created.map((line) => line.split(':')[0])).toEqual([
    'create twhin.orders',
    'create twhin.erasure',
    'create twhin.embeddings.shop',
    'create twhin.model.shop',
    'create twhin.dead-letter',
  ]);
  await here.run('topics', 'apply');
  await feed([event('c1', 'p1', 'buys')]);
  expect(await here.run('run', '--until-caught-up')).toMatchObject({ code: 0 });
  expect(Object.keys(Object(json(await here.run('stats', '--json'))).graphs)).toEqual(['shop']);
  const doctor = await here.run('doctor');
  expect(doctor.code).toBe(0);
  expect(doctor.out.join('\n')).not.toMatch(/engagement|follow/);
  const backup = await here.run('backup', join(here.folder, 'backup'), '--json');
  expect(Object.keys(Object(json(backup)).graphs)).toEqual(['shop']);
  expect((await here.run('stats', '--graph', 'engagement')).err.join('\n')).toMatch(/engagement/);
});

test('a store goes on where the configuration has the relations in another order', async () => {
  await here.run('topics', 'apply');
  await feed([event('c1', 'p1', 'buys'), event('c2', 'p1', 'views')]);
  expect(await here.run('run', '--until-caught-up')).toMatchObject({ code: 0 });
  const before = Object(json(await here.run('stats', '--json', '--digest'))).graphs.shop;

  await writeFile(join(here.folder, 'other-order.ts'), shop(`['buys', 'views']`));
  const other = here.configured('other-order.ts');
  expect(Object(json(await other('stats', '--json', '--digest'))).graphs.shop).toEqual(before);
  await feed([event('c2', 'p2', 'buys')]);
  expect(await other('run', '--until-caught-up')).toMatchObject({ code: 0 });
  expect(Object(json(await other('stats', '--json'))).graphs.shop).toMatchObject({
    fingerprint: before.fingerprint,
    edges: { buys: 2, views: 1 },
    entities: { customer: 2, product: 2 },
  });
});

test('feed says what a wrong mapping makes before it sends, and an updater that meets it goes on', async () => {
  await here.run('topics', 'apply');
  const lines = [
    event('c1', 'p1', 'buys'),
    event('c1', 'p1', 'buy'),
    event('c2', 'p2', 'buys', { swapped: true }),
    event('c3', 'p3', 'views'),
  ];
  const fed = await feed(lines);
  expect(fed.out[0]).toMatch(/^2 events sent to twhin\.orders in .*; 2 bad lines$/);
  expect(fed.err.map((line) => line.replace(/^.*ndjson:/, ''))).toEqual([
    expect.stringMatching(/^2: mapping-failed: .* has no relation "buy"; expected one of views, buys$/),
    expect.stringMatching(
      /^3: mapping-failed: .* buys to lead from customer to product, seen "product" to "customer"$/,
    ),
  ]);
  await feed(lines.slice(1, 3), '--raw');
  expect(await here.run('run', '--until-caught-up')).toMatchObject({ code: 0 });
  expect(Object(json(await here.run('stats', '--json'))).graphs.shop).toMatchObject({
    edges: { buys: 1, views: 1 },
    events: { consumed: 4, rejected: 2 },
  });
});
