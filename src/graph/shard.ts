import type { EntityKey } from './entity.ts';
import { partitionOf } from './murmur2.ts';

/** One part of a graph that is cut: the entities it owns are those that {@link shardOf} gives its index for. */
export interface Shard {
  /** Name of the whole graph. */
  readonly graph: string;
  /** From 0. */
  readonly index: number;
  /** Shards of the whole graph. */
  readonly count: number;
}

/** The accumulator of a row that is a copy of another shard's row: negative, and says whose. */
export function copyAccumulator(owner: number): number {
  return -1 - owner;
}

/** The shard that owns a copy, by its accumulator. */
export function ownerOfCopy(accumulator: number): number {
  return -1 - accumulator;
}

/**
 * Index of the shard that owns an entity: the partition that Kafka's default partitioner gives `type:id` on a topic with as
 * many partitions as there are shards.
 */
export function shardOf(key: EntityKey | string, count: number): number {
  return partitionOf(key, count);
}

/**
 * The shard that trains an edge, of the two that own its ends: the owner of lhs for the shards that follow it in a circle, up to half
 * of them, and the owner of rhs for the others. So each shard trains about as many edges as any other, and trains all edges with the
 * shards that follow it within less than half of the circle. Two shards that face each other train those of their own lhs.
 */
export function trainingShard(lhs: number, rhs: number, count: number): number {
  return (rhs - lhs + count) % count <= count / 2 ? lhs : rhs;
}

/** The part of the edges with an own entity on a side that the shard trains, where entities are spread evenly. */
export function trainedShare({ index, count }: Pick<Shard, 'index' | 'count'>, side: 'lhs' | 'rhs'): number {
  let trained = 0;
  for (let other = 0; other < count; other++) {
    const by = side === 'lhs' ? trainingShard(index, other, count) : trainingShard(other, index, count);
    if (by === index) trained++;
  }
  return trained / count;
}

/** A record key for messages to a shard: the first number, as text, that Kafka’s default partitioner puts into its partition. */
export function partitionKey(shard: number, count: number): string {
  for (let number = 0; ; number++) if (shardOf(String(number), count) === shard) return String(number);
}

/** Name of one shard: `engagement-3`. Its store's folder, its consumer group and its metrics have this name. */
export function shardName({ graph, index }: Pick<Shard, 'graph' | 'index'>): string {
  return `${graph}-${index}`;
}

/** Name of the whole graph, which the topics with its vectors and the published headers have. */
export function graphOf(graph: { readonly name: string; readonly shard?: Shard | undefined }): string {
  return graph.shard?.graph ?? graph.name;
}
