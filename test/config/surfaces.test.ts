import { expect, test } from 'vitest';
import { configOf } from '../../src/config/load.ts';
import type { ConfigInput } from '../../src/config/schema.ts';
import { problemsOf } from './problems-of.ts';

/** A configuration with a shop's graph beside those that come with us, and these surfaces. */
function load(surfaces: ConfigInput['surfaces']) {
  const shop: ConfigInput = {
    entityTypes: ['customer', 'product', 'session', 'brand'],
    relations: [
      { name: 'buys', lhs: 'customer', rhs: 'product' },
      { name: 'views', lhs: 'customer', rhs: 'product' },
      { name: 'session-views', lhs: 'session', rhs: 'product' },
      { name: 'makes', lhs: 'brand', rhs: 'product' },
    ],
    graphs: {
      engagement: {},
      follow: {},
      shop: { topics: ['engagement'], relations: ['buys', 'views', 'session-views', 'makes'] },
    },
  };
  return configOf({ ...shop, surfaces }, {}, '/');
}

test('surfaces that come with us are there where a graph has their relations, and a file replaces them by name', () => {
  expect(configOf({}, {}, '/').surfaces).toEqual([
    { name: 'home', from: ['user'], to: 'tweet' },
    { name: 'who-to-follow', from: ['user'], to: 'user' },
    { name: 'ads', from: ['user'], to: 'ad', atMost: { count: 2, by: 'promotes' } },
  ]);
  const own = {
    ads: { from: 'user', to: 'ad', atMost: { count: 5, by: 'promotes' } },
    products: {
      ...{ from: ['customer', 'session'], to: 'product', relations: ['buys'], leaveOut: ['buys'] },
      atMost: { count: 2, by: 'makes' },
    },
  };
  expect(load(own).surfaces).toEqual([
    { name: 'home', from: ['user'], to: 'tweet' },
    { name: 'who-to-follow', from: ['user'], to: 'user' },
    { name: 'ads', from: ['user'], to: 'ad', atMost: { count: 5, by: 'promotes' } },
    { name: 'products', ...own.products },
  ]);
});

test('all that is wrong with surfaces is told at once, with what is possible', () => {
  const surfaces = {
    a: { from: 'costumer', to: 'produkt' },
    b: {
      from: ['customer', 'brand', 'product'],
      to: 'product',
      relations: ['buys', 'makes', 'follows', 'bys'],
    },
    c: { from: 'customer', to: 'product', leaveOut: ['session-views'], atMost: { count: 1, by: 'promotes' } },
    d: { from: 'customer', to: 'brand' },
  };
  const types = 'user, tweet, ad, advertiser, query, customer, product, brand, session';
  const shop = 'expected relations from customer to product, buys, views; seen';
  const more = 'expected relations from customer or brand or product to product, buys, makes, views; seen';
  expect(problemsOf(() => load(surfaces))).toEqual([
    `surfaces.a.from: expected a type of a graph, ${types}, seen "costumer"`,
    `surfaces.a.to: expected a type of a graph, ${types}, seen "produkt"`,
    'surfaces.b.from: no relation leads from product to product; relations lead there from customer, brand, session',
    `surfaces.b.relations: ${more} "follows", which leads from user to user`,
    `surfaces.b.relations: ${more} "bys"`,
    `surfaces.c.leaveOut: ${shop} "session-views", which leads from session to product`,
    'surfaces.c.atMost.by: expected a relation to product in the same graph, buys, makes, session-views, views; seen "promotes", which leads from advertiser to ad',
    'surfaces.d.from: no relation leads from customer to brand; no relation leads to brand',
  ]);
});
