import { EdgeStream } from '../../../src/evaluation/stream/edge-stream.ts';
import type { EdgeChange, Relation } from '../../../src/graph/edge.ts';
import { entityKey } from '../../../src/graph/entity.ts';

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
