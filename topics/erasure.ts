import { z } from 'zod';
import { ENTITY_TYPES } from '../src/graph/entity.ts';
import { ERASURE } from './declaration.ts';
import { entityField, instantField } from './fields.ts';
import { defineTopic, type EventTopic } from './topic.ts';

/** The erasure topic for a configuration's entity types. */
export function erasureOf(types: readonly string[]): EventTopic {
  return defineTopic({
    name: ERASURE,
    schema: z.object({ entity: entityField(types), at: instantField }),
    key: (event) => event.entity,
    changes: ({ entity, at }) => [{ erased: entity, at }],
  });
}

/** `{entity: "user:123", at}`: the entity is erased, with its edges and its vector. */
export const erasure: EventTopic = erasureOf(ENTITY_TYPES);
