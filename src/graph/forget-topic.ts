import type { GraphStore } from './graph-store.ts';

/** Takes a topic's offsets and identity out of a store, so that it is read from its start; what was learned stays. */
export async function forgetTopic(store: GraphStore, topic: string): Promise<void> {
  const head = await store.head();
  if (head === undefined) return;
  const { [topic]: _offsets, ...offsets } = head.offsets;
  const { [topic]: _id, ...topicIds } = head.topicIds;
  const nothing: never[] = [];
  await store.commit({
    head: { ...head, offsets, topicIds },
    ...{
      edges: nothing,
      erasedEdges: nothing,
      entities: nothing,
      erasedEntities: nothing,
      erasures: nothing,
    },
    ...{ outboxAdded: nothing, outboxCleared: nothing },
    ...{ rows: new Int32Array(0), floats: new Float32Array(0) },
  });
}
