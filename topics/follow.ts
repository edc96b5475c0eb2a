import { z } from 'zod';
import type { EdgeChange } from '../src/graph/edge.ts';
import { entityKey } from '../src/graph/entity.ts';
import { actionField, idField, instantField } from './fields.ts';
import { defineTopic, type EventTopic } from './topic.ts';

/** What the action does to the edge, and to a block. */
const ACTIONS: Readonly<Record<string, Pick<EdgeChange, 'removed' | 'blocked'>>> = {
  follow: { removed: false },
  unfollow: { removed: true },
  block: { removed: true, blocked: true },
  unblock: { removed: true, blocked: false },
};

/** `{followerId, followedId, action, at}`: a user follows, unfollows, blocks or unblocks another user. */
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
      ...action,
    },
  ],
});
