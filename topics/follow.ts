import { z } from 'zod';
import { entityKey } from '../src/graph/entity.ts';
import { actionField, idField, instantField } from './fields.ts';
import { defineTopic, type EventTopic } from './topic.ts';

/** Whether the action removes the edge. */
const ACTIONS = { follow: false, unfollow: true, block: true };

/** `{followerId, followedId, action, at}`: a user follows, unfollows or blocks another user. */
export const follow: EventTopic = defineTopic({
  name: 'follow',
  schema: z.object({
    followerId: idField,
    followedId: idField,
    action: actionField(ACTIONS),
    at: instantField,
  }),
  key: (event) => event.followerId,
  changes: ({ followerId, followedId, action, at }) => [
    {
      lhs: entityKey('user', followerId),
      relation: 'follows',
      rhs: entityKey('user', followedId),
      at,
      removed: action,
    },
  ],
});
