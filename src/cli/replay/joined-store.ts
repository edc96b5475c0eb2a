import { edgesName, exchangeName, topicName } from '../../../topics/index.ts';
import { openRocksdb } from '../../adapters/rocksdb/store.ts';
import type { Config } from '../../config/resolve.ts';
import { GraphStore } from '../../graph/graph-store.ts';
import type { Head } from '../../graph/head.ts';
import { Layout } from '../../graph/layout.ts';
import { fillStores } from '../../graph/reshard/fill-stores.ts';
import { MergedGraph } from '../../graph/reshard/merged-graph.ts';

/** Open stores with their heads: that of a whole graph, or those of all its shards in their order. */
export interface OpenStores {
  readonly stores: readonly GraphStore[];
  readonly heads: readonly Head[];
}

/** A copy of the stores of all shards, as the one store of the whole graph: what `twhin reshard --to 1` makes. */
export class JoinedStore {
  readonly store: GraphStore;
  readonly head: Head;

  private constructor(store: GraphStore, head: Head) {
    this.store = store;
    this.head = head;
  }

  /**
   * Makes it in an empty folder, for whoever closes the store. graph: name of the whole.
   * @throws FatalError `reshard` where the stores are not of one training.
   */
  static async make(
    graph: string,
    { topicPrefix }: Pick<Config, 'topicPrefix'>,
    { stores, heads }: OpenStores,
    folder: string,
    onProgress: (what: 'edges' | 'entities', done: number) => void,
  ): Promise<JoinedStore> {
    const layout = new Layout(heads[0]!.model);
    const merged = await MergedGraph.read(stores, layout);
    const store = new GraphStore(await openRocksdb(folder), layout);
    try {
      const internalTopics = [exchangeName(graph), edgesName(graph)].map((name) =>
        topicName(topicPrefix, name),
      );
      const next = { graph, count: 1, internalTopics, runs: [] };
      const filled = await fillStores(merged, heads, [store], next, onProgress);
      return new JoinedStore(store, filled.heads[0]!);
    } catch (error) {
      await store.close();
      throw error;
    }
  }
}
