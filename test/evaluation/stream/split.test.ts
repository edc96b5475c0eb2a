import { describe, expect, it } from 'vitest';
import type { EdgeStream } from '../../../src/evaluation/stream/edge-stream.ts';
import { type Split, sampleTasks, splitStream } from '../../../src/evaluation/stream/split.ts';
import { entityKey } from '../../../src/graph/entity.ts';
import { streamOf } from './stream-fixture.ts';

/** Tasks in names: who, in which scope, which targets, what is left out. */
function namesOf(stream: EdgeStream, { tasks }: Split) {
  return tasks.map(({ lhs, scope, targets, seen }) => {
    const name = (item: number) => stream.entities[scope.pair.candidates[item]!];
    return [stream.entities[lhs], scope.name, [...targets].map(name), seen.map(name)];
  });
}

describe('splitStream', () => {
  it('asks for new targets that were known at the cut, by relation and by all relations of a pair', () => {
    const stream = streamOf(
      ...['a likes 1', 'b likes 2', 'b retweets 3', '-a likes 1'],
      // Held back: seen before, new, new in likes only, unknown target, unknown user, twice.
      ...['a likes 1', 'a likes 2', 'b likes 3', 'a likes 9', 'c likes 1', 'a likes 2'],
    );
    const split = splitStream(stream, 4);
    expect(split.scopes.map(({ name }) => name)).toEqual(['user→tweet', 'likes', 'retweets']);
    expect(namesOf(stream, split)).toEqual([
      ['user:a', 'user→tweet', ['tweet:2'], ['tweet:1']],
      ['user:a', 'likes', ['tweet:2'], ['tweet:1']],
      ['user:b', 'likes', ['tweet:3'], ['tweet:2']],
    ]);
  });

  it('keeps the live edges of the cut, oldest event first', () => {
    const stream = streamOf('a likes 1', 'b likes 2', 'a likes 1', '-b likes 2', 'b likes 3', 'a likes 2');
    const { scopes } = splitStream(stream, 5);
    const { live, candidates } = scopes[0]!.pair;
    expect([...live.event]).toEqual([2, 4]);
    expect([...live.item].map((item) => stream.entities[candidates[item]!])).toEqual(['tweet:1', 'tweet:3']);
  });

  it('leaves the user itself out, and erased entities altogether', () => {
    const stream = streamOf(
      'a follows b',
      'b follows c',
      'c follows d',
      'a follows c',
      'a follows a',
      'b follows d',
    );
    stream.add([{ erased: entityKey('user', 'd'), at: 99 }]);
    const split = splitStream(stream, 3);
    expect(namesOf(stream, split)).toEqual([['user:a', 'follows', ['user:c'], ['user:b', 'user:a']]]);
    expect([...split.scopes[0]!.pair.candidates].map((entity) => stream.entities[entity])).toEqual([
      'user:a',
      'user:b',
      'user:c',
    ]);
  });

  it('knows nobody whom only a removal named', () => {
    const stream = streamOf('a likes 1', '-b likes 2', 'b likes 1', 'a likes 2');
    expect(splitStream(stream, 2).tasks).toEqual([]);
  });
});

describe('sampleTasks', () => {
  it('draws users, and keeps all tasks of a drawn user', () => {
    const stream = streamOf(
      ...['a likes 1', 'b likes 2', 'c likes 3', 'a retweets 3'],
      ...['a likes 2', 'b likes 1', 'c likes 1', 'a retweets 1'],
    );
    const { tasks } = splitStream(stream, 4);
    expect(sampleTasks(tasks, 10, () => 0)).toEqual(tasks);
    const last = sampleTasks(tasks, 1, (n) => n - 1);
    expect(new Set(last.map(({ lhs }) => stream.entities[lhs]))).toEqual(new Set(['user:c']));
    const first = sampleTasks(tasks, 1, () => 0);
    expect(first.map(({ scope }) => scope.name)).toEqual(['user→tweet', 'likes', 'retweets']);
  });
});
