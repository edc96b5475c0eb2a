import { readSpace, type Space } from '../../src/evaluation/space.ts';
import { type EntityKey, entityKey } from '../../src/graph/entity.ts';
import type { ScorerName } from '../../src/model/settings.ts';
import { storeOf } from './compare/fixture.ts';

export const thing = (i: number): EntityKey => entityKey('thing', `${i}`);
/** Rows 0 and 1 belong to the relation `likes`. */
const FIRST_THING = 2;

/** A space of things 0, 1, …, with these vectors, and of one relation. */
export async function spaceOf(
  scorer: ScorerName,
  vectors: {
    relation: readonly number[];
    reverse: readonly number[];
    things: readonly (readonly number[])[];
  },
): Promise<Space> {
  const { relation, reverse, things } = vectors;
  const dim = relation.length;
  const model = {
    ...{ dim, scorer, entityTypes: ['thing'] },
    relations: [{ name: 'likes', lhs: 'thing', rhs: 'thing' }],
  };
  const { store, head } = await storeOf({
    model,
    head: { rows: FIRST_THING + things.length },
    relations: { likes: [relation, reverse] },
    vectors: Object.fromEntries(things.map((vector, i) => [thing(i), vector])),
  });
  return readSpace(store, head);
}
