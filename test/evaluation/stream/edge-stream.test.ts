import { describe, expect, it } from 'vitest';
import { entityKey } from '../../../src/graph/entity.ts';
import { changeOf, streamOf } from './stream-fixture.ts';

describe('EdgeStream', () => {
  it('keeps the events that are news, as the updater does', () => {
    const stream = streamOf('a likes 1', 'b likes 1', '-a likes 1', 'a quotes 1', 'a likes 1');
    stream.add([changeOf('b likes 1', 1), changeOf('b likes 1', 0)]);
    stream.add([{ erased: entityKey('user', 'c'), at: 9 }]);
    expect(stream.length).toBe(4);
    expect(stream.learned).toBe(3);
    expect(stream.entities).toEqual(['user:a', 'tweet:1', 'user:b']);
    expect(
      [0, 1, 2, 3].map((event) => [stream.lhs[event], stream.rhs[event], stream.removes[event]]),
    ).toEqual([
      [0, 1, false],
      [2, 1, false],
      [0, 1, true],
      [0, 1, false],
    ]);
    expect([...stream.erased]).toEqual(['user:c']);
    expect(stream.find(entityKey('user', 'c'))).toBeUndefined();
  });

  it('takes a repeated event of a later time as news', () => {
    expect(streamOf('a likes 1', 'a likes 1').learned).toBe(2);
  });
});
