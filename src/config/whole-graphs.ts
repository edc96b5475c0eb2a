import { join } from 'node:path';
import { graphOf } from '../graph/shard.ts';
import type { GraphConfig } from './resolve.ts';

/**
 * Each graph once and whole, with the name that its topics have: for whoever reads the topics alone. A graph with shards has
 * room for the entities of all of them. Nothing is ever stored in its folder.
 */
export function wholeGraphs(graphs: readonly GraphConfig[]): GraphConfig[] {
  const firsts = graphs.filter(
    (graph, i) => graphs.findIndex((other) => graphOf(other) === graphOf(graph)) === i,
  );
  return firsts.map(({ shard, ...graph }) => {
    if (shard === undefined) return graph;
    return {
      ...graph,
      name: shard.graph,
      folder: join(graph.folder, '..', shard.graph),
      trainer: { ...graph.trainer, maxRows: graph.trainer.maxRows * shard.count },
    };
  });
}
