import { afterEach, expect, inject, test } from 'vitest';
import { readStore, unlike } from './stored.ts';
import { fold, readTopic } from './topic-reader.ts';
import { SMALL, Twhin } from './twhin.ts';

let twhin: Twhin | undefined;

afterEach(async () => {
  await twhin?.remove();
  twhin = undefined;
});

/** Everything a person of their own would add: an entity type, a relation, a topic, a graph; and one graph widened. */
const VISITS = `${SMALL}
  entityTypes: ['venue'],
  relations: [{ name: 'visits', lhs: 'user', rhs: 'venue' }],
  topics: [k.defineTopic({
    name: 'visit',
    schema: k.z.object({
      userId: k.idField,
      venueId: k.idField,
      action: k.actionField({ enter: { removed: false }, forget: { removed: true } }),
      at: k.instantField,
    }),
    key: (event) => event.userId,
    changes: ({ userId, venueId, action, at }) => [{
      lhs: k.entityKey('user', userId),
      relation: 'visits',
      rhs: k.entityKey('venue', venueId),
      at,
      removed: action.removed,
    }],
  })],
  graphs: {
    places: { topics: ['visit', 'erasure'], relations: ['visits'] },
    follow: { topics: ['follow', 'visit'], relations: ['follows', 'visits'] },
  },`;

test('a topic, relation, entity type and graph of one’s own, by configuration alone', async () => {
  const brokers = inject('brokers');
  twhin = await Twhin.create(brokers, VISITS);
  const at = Date.UTC(2024, 0, 1);
  const visit = (userId: number, venueId: string, action: string, after: number) => ({
    ...{ userId, venueId, action, at: at + after },
  });
  expect(await twhin.ok(['topics', 'plan'])).toContain(`create ${twhin.topic('visit')}: 4 partitions`);
  await twhin.ok(['topics', 'apply']);
  await twhin.feed('visit', [
    visit(1, 'café', 'enter', 1),
    visit(1, 'museum', 'enter', 2),
    visit(2, 'café', 'enter', 3),
    visit(2, 'bar', 'enter', 4),
    visit(2, 'bar', 'forget', 5),
  ]);
  await twhin.feed('follow', [{ followerId: 1, followedId: 3, action: 'follow', at }]);
  await twhin.feed('erasure', [{ entity: 'venue:museum', at: at + 10 }]);
  await twhin.ok(['run', '--graph', 'places', '--graph', 'follow', '--until-caught-up']);
  const stats = Object(await twhin.json(['stats'])).graphs;
  expect(stats.places).toMatchObject({ edges: { visits: 2 }, events: { consumed: 6, rejected: 0 } });
  // Erasures reach every graph, named among its topics or not.
  expect(stats.follow).toMatchObject({ entities: { user: 3, venue: 2 }, edges: { follows: 1, visits: 2 } });

  const { vectors } = await readStore(twhin, 'places');
  const topic = fold(await readTopic(brokers, twhin.topic('embeddings.places')));
  expect([...vectors.keys()]).toEqual(['user:1', 'user:2', 'venue:bar', 'venue:café']);
  expect(unlike(vectors, topic)).toEqual([]);
  expect(topic.get('venue:café')?.headers).toMatchObject({ graph: 'places', dim: '16', dtype: 'float32' });
  const shown = Object(await twhin.json(['show', 'venue:café', '--graph', 'places']));
  expect(shown.edges).toEqual({ visits: { out: 0, in: 2 } });
});
