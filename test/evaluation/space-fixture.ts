import { Space } from '../../src/evaluation/space.ts';
import { type EntityKey, entityKey } from '../../src/graph/entity.ts';
import { GraphStore } from '../../src/graph/graph-store.ts';
import { Layout } from '../../src/graph/layout.ts';
import type { KernelName } from '../../src/model/kernel.ts';
import type { ScorerName } from '../../src/model/settings.ts';
import { HEAD } from '../graph/graph-fixture.ts';
import { MemoryStore } from '../graph/memory-store.ts';

export const thing = (i: number): EntityKey => entityKey('thing', `${i}`);
/** Rows 0 and 1 belong to the relation `likes`. */
export const FIRST_THING = 2;

/** A space of things 0, 1, …, with these vectors, and of one relation. */
export async function spaceOf(
  scorer: ScorerName,
  vectors: {
    relation: readonly number[];
    reverse: readonly number[];
    things: readonly (readonly number[])[];
  },
  options: { kernel?: KernelName; unseen?: readonly EntityKey[] } = {},
): Promise<Space> {
  const { relation, reverse, things } = vectors;
  const dim = relation.length;
  const model = {
    ...{ dim, scorer, entityTypes: ['thing'] },
    relations: [{ name: 'likes', lhs: 'thing', rhs: 'thing' }],
  };
  const rows = [relation, reverse, ...things];
  const floats = Float32Array.from(rows.flatMap((row) => [...row, 0, 0]));
  const store = new GraphStore(new MemoryStore(), new Layout(model));
  const head = { ...HEAD, model, rows: rows.length };
  await store.commit({
    head,
    edges: [],
    erasedEdges: [],
    entities: things.map((_, i) => ({
      ...{ key: thing(i), row: FIRST_THING + i },
      ...{ updates: 1, firstSeen: 0, lastSeen: 0 },
    })),
    erasedEntities: [],
    erasures: [],
    rows: Int32Array.from(rows, (_, row) => row),
    floats,
    outboxAdded: [],
    outboxCleared: [],
  });
  return Space.read([{ store, head }], options);
}
