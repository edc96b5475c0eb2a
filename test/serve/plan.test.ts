import { describe, expect, it } from 'vitest';
import type { Relation } from '../../src/graph/edge.ts';
import { entityKey } from '../../src/graph/entity.ts';
import type { Surface } from '../../src/graph/surface.ts';
import { type PlanAsked, planOf, surfacesOf } from '../../src/serve/plan.ts';
import { Surfaces } from '../../src/serve/surfaces.ts';
import { graphOf, passes, type TestGraph } from './serve-fixture.ts';

const SHOP: readonly Relation[] = [
  { name: 'buys', lhs: 'customer', rhs: 'product' },
  { name: 'views', lhs: 'customer', rhs: 'product' },
  { name: 'session-views', lhs: 'session', rhs: 'product' },
  { name: 'makes', lhs: 'brand', rhs: 'product' },
  { name: 'wears', lhs: 'customer', rhs: 'brand' },
];
const customer = (id: number) => entityKey('customer', `${id}`);
const product = (id: number) => entityKey('product', `${id}`);
const session = (id: number) => entityKey('session', `${id}`);
const brand = (id: number) => entityKey('brand', `${id}`);

const products: Surface = {
  ...{ name: 'products', from: ['customer', 'session'], to: 'product' },
  ...{ relations: ['buys'], leaveOut: ['buys'] },
};
const shop = graphOf({ name: 'shop', relations: SHOP });
const plan = (asked: Partial<PlanAsked>, surfaces = [products]) => {
  const { graph, ...rest } = planOf([shop], surfaces, { from: customer(1), ...asked });
  return { graph: graph.name, ...rest };
};

describe('a plan', () => {
  it('asks by all relations between the two types, and leaves out what the same lead to', () => {
    expect(plan({ to: 'product' })).toEqual({
      ...{ graph: 'shop', to: 'product', atMost: undefined },
      ...{ relations: ['buys', 'views'], leaveOut: ['buys', 'views'] },
    });
    expect(plan({ from: session(1), to: 'product' })).toMatchObject({
      ...{ relations: ['session-views'], leaveOut: ['session-views'] },
    });
    expect(plan({ to: 'product', relation: 'buys' })).toMatchObject({
      ...{ relations: ['buys'], leaveOut: ['buys'] },
    });
  });

  it('is what a surface says, for each of its types', () => {
    expect(plan({ surface: 'products' })).toMatchObject({ relations: ['buys'], leaveOut: ['buys'] });
    // No relation of the surface begins at a session: it is asked by its own.
    expect(plan({ surface: 'products', from: session(1) })).toMatchObject({
      ...{ to: 'product', relations: ['session-views'], leaveOut: ['buys'] },
    });
    const atMost = { count: 1, by: 'makes' };
    const plain = { name: 'plain', from: ['customer'], to: 'product', atMost };
    expect(plan({ surface: 'plain' }, [plain])).toMatchObject({
      ...{ relations: ['buys', 'views'], leaveOut: ['buys', 'views'], atMost },
    });
    // A relation that is named narrows the question, not what is left out.
    expect(plan({ surface: 'plain', relation: 'views' }, [plain])).toMatchObject({
      ...{ relations: ['views'], leaveOut: ['buys', 'views'] },
    });
    expect(plan({ surface: 'all' }, [{ ...plain, name: 'all', leaveOut: [] }]).leaveOut).toEqual([]);
  });

  const ofCustomer = 'customer leads to product (buys, views) and brand (wears)';
  it.each<[asked: Partial<PlanAsked>, message: string]>([
    [{}, 'to: expected either to, a type, or surface; seen none of the two'],
    [{ to: 'product', surface: 'products' }, 'to: expected either to, a type, or surface; seen both'],
    [{ to: 'tweet' }, `to: the graph shop has no relation from customer to tweet; ${ofCustomer}`],
    [
      { from: product(1), to: 'customer' },
      'to: the graph shop has no relation from product to customer; no relation leads from product',
    ],
    [
      { from: entityKey('user', '1'), to: 'product' },
      'from: expected TYPE:ID of customer, product, session, brand, seen "user:1"',
    ],
    [
      { from: brand(1), surface: 'products' },
      'from: the surface products is for customer and session, seen "brand:1"',
    ],
    [{ surface: 'home' }, 'surface: expected one of products; seen "home"'],
    [
      { from: session(1), to: 'product', relation: 'buys' },
      'relation: buys leads from customer to product, not from session; session leads to product (session-views)',
    ],
    [
      { to: 'brand', relation: 'buys' },
      `relation: buys leads from customer to product, not to brand; ${ofCustomer}`,
    ],
    [{ to: 'product', relation: 'bys' }, 'relation: expected one of buys, views; seen "bys"'],
    [{ to: 'product', graph: 'shopp' }, 'graph: expected one of shop, seen "shopp"'],
  ])('of %j is refused, and says what is possible', (asked, message) => {
    const field = message.split(':')[0];
    expect(() => plan(asked)).toThrow(expect.objectContaining({ name: 'UsageError', field, message }));
  });

  it('is of the first graph that has a relation for it, or the one that is named', () => {
    const views = graphOf({ name: 'views', relations: SHOP.filter(({ name }) => name === 'views') });
    const ask = (graphs: readonly TestGraph[], asked: Partial<PlanAsked>) =>
      planOf(graphs, [products], { from: customer(1), to: 'product', ...asked });
    expect(ask([views, shop], {})).toMatchObject({ graph: views, relations: ['views'] });
    expect(ask([views, shop], { relation: 'buys' })).toMatchObject({ graph: shop });
    expect(ask([views, shop], { graph: 'shop' })).toMatchObject({
      graph: shop,
      relations: ['buys', 'views'],
    });
    expect(() => ask([views], { to: undefined, surface: 'products', from: session(1) })).toThrow(
      'from: expected TYPE:ID of customer, product, seen "session:1"',
    );
  });
});

it('a graph has the surfaces that some entity of it can ask for', () => {
  const surfaces = [products, { name: 'brands', from: ['session', 'customer'], to: 'brand' }];
  const namesOf = (relations: readonly Relation[]) => surfacesOf(surfaces, relations).map(({ name }) => name);
  expect(namesOf(SHOP)).toEqual(['products', 'brands']);
  expect(namesOf(SHOP.slice(2, 3))).toEqual(['products']);
  expect(namesOf(SHOP.slice(3, 4))).toEqual([]);
});

describe('the lists of a shop', () => {
  /** Products lie on a line at their numbers. By `buys` customer 1 is led to 10, by `views` to 20; session 1 to 30. */
  function open(): { graph: TestGraph; surfaces: Surfaces } {
    const graph = graphOf({ name: 'shop', relations: SHOP });
    const at = (x: number) => [x, 0];
    graph.put(customer(1), at(0));
    graph.put(session(1), at(25));
    for (let i = 1; i <= 40; i++) graph.put(product(i), at(i));
    for (const [relation, x, lhs] of [
      ['buys', 10, 'customer'],
      ['views', 20, 'customer'],
      ['session-views', 5, 'session'],
    ] as const)
      graph.relate(relation, at(x), { lhs, rhs: 'product' });
    const surfaces = new Surfaces({ graphs: [graph], surfaces: [products], passes: passes() });
    return { graph, surfaces };
  }
  const of = ({ items }: { readonly items: readonly { readonly entity: string }[] }) =>
    items.map(({ entity }) => Number(entity.split(':')[1]));

  it('leave out by relation: what was bought, and not what was viewed', async () => {
    const { graph, surfaces } = open();
    graph.edges(customer(1), 'buys', [10, 11].map(product));
    graph.edges(customer(1), 'views', [9, 12].map(product));
    const list = await surfaces.candidates({ from: customer(1), surface: 'products', k: 4 });
    expect([of(list), list.filtered.seen]).toEqual([[9, 12, 8, 13], 2]);
    const all = await surfaces.candidates({ from: customer(1), to: 'product', relation: 'buys', k: 2 });
    expect(of(all)).toEqual([9, 12]);
    // Two of four edges are views: the middle of 10 and 20.
    const both = await surfaces.candidates({ from: customer(1), to: 'product', k: 4 });
    expect([of(both), both.filtered.seen]).toEqual([[15, 14, 16, 13], 4]);
  });

  it('are made for a session, and for an entity of which nothing is known', async () => {
    const { graph, surfaces } = open();
    graph.edges(session(1), 'session-views', [product(30)]);
    const asked = { surface: 'products', k: 3 } as const;
    // What a session viewed is shown again: the surface leaves out what was bought.
    expect(of(await surfaces.candidates({ from: session(1), ...asked }))).toEqual([30, 29, 31]);
    expect(of(await surfaces.candidates({ from: session(1), to: 'product', k: 3 }))).toEqual([29, 31, 28]);
    const unknown = await surfaces.candidates({ from: session(9), ...asked });
    expect(unknown).toMatchObject({ fallback: 'popular', items: [{ entity: product(30), score: null }] });
  });

  it('rank and neighbours are for any type, with what is left out', async () => {
    const { surfaces } = open();
    const candidates = [8, 12, 99].map(product);
    expect(surfaces.rank({ from: customer(1), relation: 'buys', candidates })).toMatchObject({
      items: [
        { entity: product(8), score: -4 },
        { entity: product(12), score: -4 },
      ],
      missing: [product(99)],
    });
    expect(() => surfaces.rank({ from: session(1), relation: 'buys', candidates })).toThrow(
      'relation: buys leads from customer to product, not from session; session leads to product (session-views)',
    );
    const near = await surfaces.similar({ entity: product(5), k: 3, exclude: [4, 99].map(product) });
    expect([of(near!), near!.filtered]).toEqual([[6, 3, 7], { excluded: 1, erased: 0 }]);
    await expect(surfaces.similar({ entity: product(5), k: 3, exclude: [customer(1)] })).rejects.toThrow(
      'exclude.0: expected product:ID, seen "customer:1"',
    );
  });
});
