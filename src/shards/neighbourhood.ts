import type { EntityIndex } from '../graph/entity-index.ts';
import type { Layout } from '../graph/layout.ts';
import type { TrainsEdge } from '../graph/live-edges.ts';
import { shardOf, trainingShard } from '../graph/shard.ts';
import type { Neighbourhood, NeighbourParts, Neighbours } from '../pipeline/neighbours.ts';
import { Exchange, type ExchangePlace } from './exchange.ts';

export interface ShardPlace extends ExchangePlace {
  /** Full name of the topic in which routers send the shard its events; absent in a replay, which reads the event topics. */
  readonly edgesTopic?: string;
  /** The space of all shards, asked of the log before anything is read; absent: `freshSpace`. See `agreement.ts`. */
  readonly agree?: (stopping: AbortSignal) => Promise<string>;
}

/** The other shards of a graph, before the store of one shard is loaded. */
export class ShardNeighbourhood implements Neighbourhood {
  readonly together = true;
  readonly topics: readonly string[];
  readonly urgent: string;
  readonly #place: ShardPlace;

  constructor(place: ShardPlace) {
    const { topic, edgesTopic } = place;
    this.#place = place;
    this.topics = [topic, edgesTopic].filter((each) => each !== undefined);
    this.urgent = topic;
  }

  async space(fresh: string, stopping: AbortSignal): Promise<string> {
    return (await this.#place.agree?.(stopping)) ?? fresh;
  }

  trains(index: EntityIndex, layout: Layout): TrainsEdge {
    const { index: own, count } = this.#place.shard;
    const owners = new Uint8Array(index.nextRow).fill(own);
    for (let row = 0; row < owners.length; row++) {
      const key = index.keyAt(row);
      if (key !== undefined) owners[row] = shardOf(key, count);
    }
    return (key, lhs, rhs) => {
      const from = lhs < 0 ? shardOf(layout.edgeOf(key).lhs, count) : owners[lhs]!;
      const to = rhs < 0 ? shardOf(layout.edgeOf(key).rhs, count) : owners[rhs]!;
      const ownHasRow = (from === own && lhs >= 0) || (to === own && rhs >= 0);
      // An edge without an own end that has a row is damage, which whoever reads it finds.
      return !ownHasRow || trainingShard(from, to, count) === own;
    };
  }

  open(parts: NeighbourParts): Neighbours {
    return new Exchange(this.#place, parts);
  }
}
