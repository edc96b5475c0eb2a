import type { GraphChange } from '../../src/graph/edge.ts';
import type { EntityKey } from '../../src/graph/entity.ts';
import type { GraphStatus } from '../../src/serve/graph-status.ts';
import type { Part } from '../../src/serve/holding.ts';
import { Merged, type MergedOptions } from '../../src/serve/merged.ts';
import { Shard } from '../../src/serve/shard.ts';
import type { ShardLink, ShardMissed } from '../../src/serve/shard-link.ts';
import type { ShardAnswers, ShardQuestion, ShardQuestions } from '../../src/serve/shard-questions.ts';
import { Surfaces, surfacesOf } from '../../src/serve/surfaces.ts';
import { Users } from '../../src/serve/users.ts';
import type { PublishedScorer } from '../../topics/model.ts';
import { graphOf, passes, RELATIONS, T0, type TestGraph } from './serve-fixture.ts';

export const PARTITIONS = 8;
export const PARTS: readonly (readonly number[])[] = [
  [0, 3, 6],
  [1, 4],
  [2, 5, 7],
];

export function partitionOf(entity: EntityKey): number {
  let hash = 7;
  for (const byte of Buffer.from(entity)) hash = (31 * hash + byte) % 10_007;
  return hash % PARTITIONS;
}

/** The same graph twice: whole, and cut over three shards by the partitions of its topic. */
export class CutGraph {
  readonly whole: TestGraph;
  readonly cut: readonly TestGraph[];

  constructor(name = 'g', relations = RELATIONS) {
    this.whole = graphOf({ name, relations });
    this.cut = PARTS.map(() => graphOf({ name, relations }));
  }

  get all(): readonly TestGraph[] {
    return [this.whole, ...this.cut];
  }

  shardOf(entity: EntityKey): number {
    return PARTS.findIndex((held) => held.includes(partitionOf(entity)));
  }

  put(entity: EntityKey, vector: readonly number[] | null, at?: number): void {
    this.whole.put(entity, vector, at);
    this.cut[this.shardOf(entity)]!.put(entity, vector, at);
  }

  relate(
    relation: string,
    vector: readonly number[],
    scorer: PublishedScorer,
    beta = 1,
    inverse = false,
  ): void {
    for (const graph of this.all) graph.relate(relation, vector, { scorer, beta, inverse });
  }

  take(change: GraphChange, blocked = false): void {
    for (const { activity, spaces } of this.all) {
      activity.take(change, blocked);
      if ('erased' in change) continue;
      for (const entity of [change.lhs, change.rhs]) spaces.active(entity, change.at);
    }
  }
}

/** How far a graph is of which everything is read. */
export function statusOf({ name, relations, spaces, activity }: TestGraph): GraphStatus {
  const { current } = spaces;
  const types = ['user', 'tweet', 'ad'].map((type) => [type, current?.table(type)?.size ?? 0]);
  return {
    ...{
      graph: name,
      surfaces: surfacesOf(relations),
      space: current?.space ?? '',
      step: current?.step ?? 0,
    },
    ...{ staleSince: null, vectorsAsOf: current?.at ?? 0, eventsAsOf: activity.at },
    ...{ vectors: Object.fromEntries(types), read: { vectors: 1, events: 1 } },
  };
}

export function shardOf(graphs: readonly TestGraph[], held: readonly number[]): Shard {
  const part: Part = { held, of: PARTITIONS };
  const shared = passes();
  const surfaces = new Surfaces({ graphs, passes: shared, adsOfOne: 99 });
  const users = new Users({ graphs, random: () => 0 });
  const status = () => graphs.map((graph) => statusOf(graph));
  return new Shard({ surfaces, passes: shared, users, status, part: () => part, edgesOfOne: 1_000 });
}

/** A link without a network. */
export class PlainLink implements ShardLink {
  readonly url: string;
  readonly shard: Shard;
  /** While set, questions fail with it. */
  failing: ShardMissed | undefined;
  /** Called before each question is answered. */
  before: (name: ShardQuestion, timeoutMs: number) => void = () => undefined;
  readonly asked: ShardQuestion[] = [];

  constructor(url: string, shard: Shard) {
    this.url = url;
    this.shard = shard;
  }

  async ask<Q extends ShardQuestion>(
    name: Q,
    question: ShardQuestions[Q],
    timeoutMs: number,
  ): Promise<ShardAnswers[Q]> {
    this.asked.push(name);
    if (this.failing !== undefined) throw this.failing;
    this.before(name, timeoutMs);
    return this.shard.answer(name, question);
  }
}

export function mergedOf(links: readonly ShardLink[], options: Partial<MergedOptions> = {}): Merged {
  return new Merged({
    ...{
      links,
      deadlineMs: 60_000,
      adsOfOne: 2,
      clock: () => 0,
      pause: async () => undefined,
      random: () => 0,
      now: () => T0,
    },
    missed: () => undefined,
    partial: () => undefined,
    ...options,
  });
}
