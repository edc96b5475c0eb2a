import { describe, expect, it } from 'vitest';
import type { Relation } from '../../src/graph/edge.ts';
import { entityKey } from '../../src/graph/entity.ts';
import type { Surface } from '../../src/graph/surface.ts';
import { type PlanAsked, planOf, surfacesOf } from '../../src/serve/plan.ts';
import { graphOf, type TestGraph } from './serve-fixture.ts';

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
