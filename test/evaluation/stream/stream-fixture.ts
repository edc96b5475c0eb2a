import { EdgeStream } from '../../../src/evaluation/stream/edge-stream.ts';
import type { EdgeChange, Relation } from '../../../src/graph/edge.ts';
import { entityKey } from '../../../src/graph/entity.ts';
import type { RankedEdges } from '../../../src/pipeline/training/trainer.ts';

export const relations: readonly Relation[] = [
  { name: 'likes', lhs: 'user', rhs: 'tweet' },
  { name: 'retweets', lhs: 'user', rhs: 'tweet' },
  { name: 'follows', lhs: 'user', rhs: 'user' },
];

/** An event such as `a likes 1` or `a follows b`; a leading `-` removes. Times are the places in the list. */
export function changeOf(text: string, at: number): EdgeChange {
  const removed = text.startsWith('-');
  const [lhs = '', relation = '', rhs = ''] = text.replace('-', '').split(' ');
  const rhsType = relations.find(({ name }) => name === relation)?.rhs ?? 'tweet';
  return { lhs: entityKey('user', lhs), relation, rhs: entityKey(rhsType, rhs), at, removed };
}

export function streamOf(...events: string[]): EdgeStream {
  const stream = new EdgeStream(relations);
  events.forEach((text, at) => {
    stream.add([changeOf(text, at)]);
  });
  return stream;
}

/** An edge that was ranked before it was learned: the events behind its ends, and its row of ranks. */
interface Ranked {
  readonly lhs?: number;
  readonly relation?: number;
  readonly lhsEvents: number;
  readonly rhsEvents: number;
  readonly repeated?: number;
  readonly ranks: readonly number[];
}

export function rankedEdges(edges: readonly Ranked[]): RankedEdges {
  return {
    edge: Float64Array.from(edges.keys()),
    lhs: Int32Array.from(edges, ({ lhs = 0 }) => lhs),
    relation: Uint8Array.from(edges, ({ relation = 0 }) => relation),
    lhsEvents: Int32Array.from(edges, ({ lhsEvents }) => lhsEvents),
    rhsEvents: Int32Array.from(edges, ({ rhsEvents }) => rhsEvents),
    repeated: Uint8Array.from(edges, ({ repeated = 0 }) => repeated),
    ranks: Float32Array.from(edges.flatMap(({ ranks }) => ranks)),
  };
}
