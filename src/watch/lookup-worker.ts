/** Entry of a thread that looks up one entity: a scan of every vector must not block the updaters. */
import { typedEntity } from '../../topics/fields.ts';
import { answerCalls } from '../adapters/threads.ts';
import { describeEntity, type EntityDescription } from '../graph/describe-entity.ts';
import { openForReading, type StoreModel } from '../state/open.ts';

export interface LookupMethods {
  find(asked: { readonly graph: StoreModel; readonly id: string }): Promise<EntityDescription | undefined>;
}

/** Edges that are counted: the counts of a hub with millions of edges stop here. */
const EDGES = 200_000;

answerCalls<LookupMethods>('the lookup failed', {
  find: async ({ graph, id }) => {
    const key = typedEntity(id);
    await using store = await openForReading(graph);
    const record = await store?.entity(key);
    return store && record && (await describeEntity(store, record, EDGES)).description;
  },
});
