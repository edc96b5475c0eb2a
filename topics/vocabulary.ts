import type { GraphChange, Relation } from '../src/graph/edge.ts';
import { isOfType, typeOf } from '../src/graph/entity.ts';
import { badEvent, seen } from './reasons.ts';
import type { EventTopic, ReadEvent } from './topic.ts';

/** The entity types and relations of a configuration. */
export interface Vocabulary {
  readonly entityTypes: readonly string[];
  readonly relations: readonly Relation[];
}

/**
 * The topic, whose events may only make changes that the vocabulary allows: edges of its relations, with entities of the
 * relation's types at the ends, and erasures of its entity types. Any other event is rejected as `mapping-failed`: a graph
 * that ignored it would lose events without a trace.
 */
export function withVocabulary(topic: EventTopic, { entityTypes, relations }: Vocabulary): EventTopic {
  const known = new Map(relations.map((relation) => [relation.name, relation]));
  const check = (change: GraphChange): void => {
    if ('erased' in change) {
      const type = typeOf(change.erased);
      if (!entityTypes.includes(type)) throw wrong(`entity type ${seen(type)}`, entityTypes);
      return;
    }
    const relation = known.get(change.relation);
    if (relation === undefined) throw wrong(`relation ${seen(change.relation)}`, [...known.keys()]);
    const { name, lhs, rhs } = relation;
    if (isOfType(change.lhs, lhs) && isOfType(change.rhs, rhs)) return;
    const ends = `${seen(typeOf(change.lhs))} to ${seen(typeOf(change.rhs))}`;
    throw badEvent(
      'mapping-failed',
      `changes of topic ${topic.name}: expected ${name} to lead from ${lhs} to ${rhs}, seen ${ends}`,
    );
  };
  const wrong = (what: string, expected: readonly string[]) =>
    badEvent(
      'mapping-failed',
      `changes of topic ${topic.name}: the configuration has no ${what}; expected one of ${expected.join(', ')}`,
    );
  const checked = (changes: readonly GraphChange[]): readonly GraphChange[] => {
    for (const change of changes) check(change);
    return changes;
  };
  return {
    ...topic,
    read: (json): ReadEvent => {
      const event = topic.read(json);
      checked(event.changes);
      return event;
    },
    changesOf: (json) => checked(topic.changesOf(json)),
  };
}
