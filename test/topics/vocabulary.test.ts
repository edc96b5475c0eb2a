import { expect, test } from 'vitest';
import { z } from 'zod';
import { BadEvent } from '../../src/errors/errors.ts';
import type { GraphChange } from '../../src/graph/edge.ts';
import { entityKey } from '../../src/graph/entity.ts';
import { actionField, defineTopic, idField, instantField } from '../../topics/index.ts';
import { withVocabulary } from '../../topics/vocabulary.ts';

const RELATIONS = [
  { name: 'buys', lhs: 'customer', rhs: 'product' },
  { name: 'session-views', lhs: 'session', rhs: 'product' },
] as const;
const VOCABULARY = { entityTypes: ['customer', 'product', 'session'], relations: RELATIONS };

/** A topic whose every event makes these changes, as a configuration that no compiler has seen may. */
const making = (...changes: GraphChange[]) =>
  withVocabulary(
    defineTopic({ name: 'clicks', schema: z.object({}), key: () => 'k', changes: () => changes }),
    VOCABULARY,
  );

const edge = (lhs: string, relation: string, rhs: string) => ({
  ...{ lhs: entityKey(lhs, '1'), relation, rhs: entityKey(rhs, '2') },
  ...{ at: 7, removed: false },
});

function rejection(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof BadEvent) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'taken';
}

test('changes by the relations of the configuration are taken', () => {
  const changes = [edge('customer', 'buys', 'product'), edge('session', 'session-views', 'product')];
  expect(making(...changes).read({})).toEqual({ key: 'k', changes });
  const erasure = { erased: entityKey('session', 's'), at: 7 };
  expect(making(erasure).changesOf({})).toEqual([erasure]);
});

/** A change, and why it is rejected. */
const REJECTED: readonly (readonly [GraphChange, string])[] = [
  [
    edge('session', 'session-view', 'product'),
    'the configuration has no relation "session-view"; expected one of buys, session-views',
  ],
  [
    edge('sesion', 'session-views', 'product'),
    'expected session-views to lead from session to product, seen "sesion" to "product"',
  ],
  [
    edge('session', 'buys', 'product'),
    'expected buys to lead from customer to product, seen "session" to "product"',
  ],
  [
    edge('product', 'buys', 'customer'),
    'expected buys to lead from customer to product, seen "product" to "customer"',
  ],
  [
    { erased: entityKey('sku', '9'), at: 7 },
    'the configuration has no entity type "sku"; expected one of customer, product, session',
  ],
];

test.each(REJECTED)('the event of %j is rejected: %s', (change, reason) => {
  const topic = making(edge('customer', 'buys', 'product'), change);
  const message = `mapping-failed: changes of topic clicks: ${reason}`;
  expect(rejection(() => topic.read({}))).toBe(message);
  expect(rejection(() => topic.changesOf({}))).toBe(message);
});

test('with relations, TypeScript knows which names and ends fit', () => {
  const shared = {
    name: 'orders',
    schema: z.object({
      c: idField,
      p: idField,
      action: actionField({
        order: { relation: 'buys', removed: false },
        cancel: { relation: 'buys', removed: true },
      }),
      at: instantField,
    }),
    key: ({ c }: { c: string }) => c,
    relations: RELATIONS,
  };
  const event = { c: 1, p: 2, action: 'cancel', at: 7 };
  const right = defineTopic({
    ...shared,
    changes: ({ c, p, action, at }) => [
      { lhs: entityKey('customer', c), rhs: entityKey('product', p), at, ...action },
      { erased: entityKey('session', c), at },
    ],
  });
  expect(right.changesOf(event)).toEqual([
    { lhs: 'customer:1', relation: 'buys', rhs: 'product:2', at: 7, removed: true },
    { erased: 'session:1', at: 7 },
  ]);

  const several = defineTopic({
    ...shared,
    changes: ({ c, p, at }) => {
      const edge = { rhs: entityKey('product', p), at, removed: false };
      if (c === 'unknown') return [{ lhs: entityKey('session', c), relation: 'session-views', ...edge }];
      return [{ lhs: entityKey('customer', c), relation: 'buys', ...edge }];
    },
  });
  expect(several.changesOf({ ...event, c: 'unknown' })).toMatchObject([{ relation: 'session-views' }]);

  // Each of these has one fault, which the compiler must find: without its error, `npm run check` fails.
  const rest = { at: 7, removed: false };
  const wrong = defineTopic({
    ...shared,
    changes: ({ c, p }) => [
      // @ts-expect-error: there is no relation of this name.
      { lhs: entityKey('customer', c), relation: 'buy', rhs: entityKey('product', p), ...rest },
      // @ts-expect-error: there is no entity type of this name.
      { lhs: entityKey('custommer', c), relation: 'buys', rhs: entityKey('product', p), ...rest },
      // @ts-expect-error: the ends are swapped.
      { lhs: entityKey('product', p), relation: 'buys', rhs: entityKey('customer', c), ...rest },
      // @ts-expect-error: sessions don't buy.
      { lhs: entityKey('session', c), relation: 'buys', rhs: entityKey('product', p), ...rest },
    ],
  });
  expect(rejection(() => withVocabulary(wrong, VOCABULARY).read(event))).toMatch(/^mapping-failed: /);
});
