import { z } from 'zod';
import { entityKey } from '../src/graph/entity.ts';
import { idField, instantField, queryField } from './fields.ts';
import { defineTopic, type EventTopic } from './topic.ts';

/** `{userId, query, at}`: a user searches. Queries that differ only in case, width or spaces are the same query. */
export const search: EventTopic = defineTopic({
  name: 'search',
  schema: z.object({ userId: idField, query: queryField, at: instantField }),
  key: (event) => event.userId,
  changes: ({ userId, query, at }) => [
    {
      lhs: entityKey('user', userId),
      relation: 'searches',
      rhs: entityKey('query', query),
      at,
      removed: false,
    },
  ],
});
