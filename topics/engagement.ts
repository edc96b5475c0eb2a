import { z } from 'zod';
import { entityKey } from '../src/graph/entity.ts';
import { actionField, idField, instantField } from './fields.ts';
import { defineTopic, type EventTopic } from './topic.ts';

const ACTIONS = {
  like: { relation: 'likes', removed: false },
  retweet: { relation: 'retweets', removed: false },
  reply: { relation: 'replies', removed: false },
  quote: { relation: 'quotes', removed: false },
  mention: { relation: 'mentions', removed: false },
  unlike: { relation: 'likes', removed: true },
  unretweet: { relation: 'retweets', removed: true },
};

/** `{userId, tweetId, action, at}`: a user likes, retweets, replies to, quotes or mentions a tweet, or undoes that. */
export const engagement: EventTopic = defineTopic({
  name: 'engagement',
  schema: z.object({
    userId: idField,
    tweetId: idField,
    action: actionField(ACTIONS),
    at: instantField,
  }),
  key: (event) => event.userId,
  changes: ({ userId, tweetId, action, at }) => [
    {
      lhs: entityKey('user', userId),
      relation: action.relation,
      rhs: entityKey('tweet', tweetId),
      at,
      removed: action.removed,
    },
  ],
});
