import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { understood } from '../src/adapters/http/guarded.ts';
import type { ServingOptions } from '../src/adapters/http/serving.ts';
import { entityId, userId } from '../src/adapters/http/serving-schema.ts';
import { RetryableError, reasonOf } from '../src/errors/errors.ts';
import { type EntityKey, typeOf } from '../src/graph/entity.ts';
import type { Sink } from '../src/pipeline/ports.ts';
import { keyOf, userKey } from '../src/serve/entities.ts';
import { wrongQuestion } from '../src/serve/served-graph.ts';
import { fullName } from '../topics/index.ts';

/** Each action's topic, and the type of what it is done to. */
const ACTIONS = {
  like: { topic: 'engagement', type: 'tweet' },
  follow: { topic: 'follow', type: 'user' },
  click: { topic: 'ad-click', type: 'ad' },
} as const;
const NAMES = ['like', 'follow', 'click'] as const;
/** Events of a minute: enough for a person. */
const MOST_EVENTS = 300;
const MOST_ENTITIES = 200;

const actionBody = z.strictObject({ action: z.enum(NAMES), user: userId, entity: entityId });
const groupsBody = z.strictObject({ entities: z.array(entityId).max(MOST_ENTITIES) });

export interface ActionsOptions {
  readonly sink: Sink;
  readonly topicPrefix: string;
  clock(): number;
  advertiserOf(ad: EntityKey): EntityKey | undefined;
  /** Whether the entity is in a graph. */
  knows(entity: EntityKey): boolean;
  /** Names of the groups of an entity, which the page shows. */
  groupsOf(entity: string): readonly string[];
}

/**
 * What the page of a demo can do: send an event of a user, and ask for groups. Only the demo adds these routes, to a server
 * on a loopback address; `twhin serve` has no producer.
 */
export function demoActions(options: ActionsOptions): NonNullable<ServingOptions['actions']> {
  const { sink, topicPrefix, groupsOf } = options;
  let last = 0;
  return {
    kinds: NAMES.map((name) => ({ name, type: ACTIONS[name].type })),
    add: (server) => {
      const limited = {
        config: { rateLimit: { max: MOST_EVENTS, timeWindow: '1 minute' } },
        preHandler: sameOrigin,
      };
      server.post('/demo/action', limited, async (request, reply) => {
        const { action, ...named } = understood(actionBody, request.body);
        const [user, entity] = [keyOf('user', named.user, userKey), keyOf('entity', named.entity)];
        const fields = fieldsOf(action, user, entity, options);
        // Each event is younger than those before it: the page sees by the time which vectors know of it.
        const at = Math.max(options.clock(), last + 1);
        last = at;
        const { topic } = ACTIONS[action];
        const actor = idOf(user);
        const value = { ...fields, at };
        const name = fullName(topicPrefix, { name: topic });
        try {
          await sink.publish([
            { topic: name, key: actor, value: Buffer.from(JSON.stringify(value)), headers: {} },
          ]);
        } catch (error) {
          if (!(error instanceof RetryableError)) throw error;
          return reply.code(503).send({ error: `the event was not taken by ${name}: ${reasonOf(error)}` });
        }
        return { at, topic: name };
      });
      server.post('/demo/groups', { preHandler: sameOrigin }, (request) => {
        const { entities } = understood(groupsBody, request.body);
        return { groups: Object.fromEntries(entities.map((entity) => [entity, groupsOf(entity)])) };
      });
    },
  };
}

/** A page of another origin may not act: the browser says where a request comes from. */
async function sameOrigin({ headers }: FastifyRequest, reply: FastifyReply) {
  const { origin, host } = headers;
  if (origin === undefined || origin === `http://${host}`) return;
  return reply.code(403).send({ error: `only the page of this server may act, not ${origin.slice(0, 100)}` });
}

/**
 * @throws UsageError for an entity of another type than the action's, for a user or an entity that no graph has: the page never
 * shows any, and an event would make one; for an ad whose advertiser nobody knows.
 */
function fieldsOf(
  action: (typeof NAMES)[number],
  user: EntityKey,
  entity: EntityKey,
  { advertiserOf, knows }: ActionsOptions,
): Record<string, string> {
  const { type } = ACTIONS[action];
  if (typeOf(entity) !== type)
    throw wrongQuestion('entity', `expected ${type}:ID for ${action}, seen ${entity}`);
  if (!knows(user)) throw wrongQuestion('user', `no graph has ${user}`);
  if (!knows(entity)) throw wrongQuestion('entity', `no graph has ${entity}`);
  const actor = idOf(user);
  if (action === 'follow') return { followerId: actor, followedId: idOf(entity), action };
  if (action === 'like') return { userId: actor, tweetId: idOf(entity), action };
  const advertiser = advertiserOf(entity);
  if (advertiser === undefined) throw wrongQuestion('entity', `nobody is known to promote ${entity}`);
  return { userId: actor, adId: idOf(entity), advertiserId: idOf(advertiser) };
}

function idOf(entity: EntityKey): string {
  return entity.slice(entity.indexOf(':') + 1);
}
