import { inject, onTestFinished } from 'vitest';
import { Twhin } from './twhin.ts';

/** Each user follows the next, a millisecond later. */
export const follows = (from: number, count: number, since = 1_700_000_000_000) =>
  Array.from({ length: count }, (_, i) => {
    const n = from + i;
    return { followerId: `u${n}`, followedId: `u${n + 1}`, action: 'follow', at: since + n };
  });

/** A deployment on the suite's broker, unless others are given, for one test: it is removed once the test is over. */
export async function deployed(config?: string, brokers = inject('brokers')): Promise<Twhin> {
  const twhin = await Twhin.create(brokers, config);
  onTestFinished(() => twhin.remove());
  return twhin;
}

/** A shop's own types, relations and topics, which exist under names of their own. */
export const shop = (orders: string, views: string) => `
  entityTypes: ['customer', 'product', 'session'],
  relations: [
    { name: 'views', lhs: 'customer', rhs: 'product' },
    { name: 'buys', lhs: 'customer', rhs: 'product' },
    { name: 'session-views', lhs: 'session', rhs: 'product' },
  ],
  topics: [
    k.defineTopic({
      topic: '${orders}',
      schema: k.z.object({ customer: k.idField, sku: k.idField, ts: k.secondsField }),
      key: ({ customer }) => customer,
      changes: ({ customer, sku, ts }) => [
        { lhs: k.entityKey('customer', customer), relation: 'buys', rhs: k.entityKey('product', sku), at: ts, removed: false },
      ],
    }),
    k.defineTopic({
      name: 'views',
      topic: '${views}',
      schema: k.z.object({ userId: k.idField.nullable(), session: k.idField, sku: k.idField, at: k.instantField }),
      key: ({ session }) => session,
      changes: ({ userId, session, sku, at }) => {
        const rhs = k.entityKey('product', sku);
        const bySession = { lhs: k.entityKey('session', session), relation: 'session-views', rhs, at, removed: false };
        const byUser = { lhs: k.entityKey('customer', userId), relation: 'views', rhs, at, removed: false };
        return userId === null ? [bySession] : [byUser, bySession];
      },
    }),
  ],
  graphs: { shop: { topics: ['${orders}', 'views'], relations: ['buys', 'views', 'session-views'] } },`;
