import { encodeConsumerProtocolSubscription } from '@platformatic/kafka';
import { describe, expect, test } from 'vitest';
import {
  type Claim,
  chooseLeader,
  claimantOf,
  encodeGroupNote,
  latestNote,
} from '../../../../src/adapters/kafka/group/claim.ts';

const member = (memberId: string, claim: Partial<Claim> = {}) => ({
  ...{ memberId, owned: null, sequence: 0, standby: false },
  ...claim,
});

describe('the one leader of a group', () => {
  const [a, b, c] = [member('a'), member('b'), member('c')];
  const [standby, later] = [member('b', { sequence: 1, standby: true }), member('b', { sequence: 4 })];

  test.each([
    ['whose id comes first, among equals', 'a', [c, a, b]],
    ['that is no standby, before standbys', 'b', [member('a', { standby: true }), c, b]],
    ['that led before, before one that never did', 'b', [a, member('b', { sequence: 3, owned: 'gone' })]],
    ['that led later', 'b', [member('a', { sequence: 3 }), later]],
    ['that led before, though a standby, before a newly started member', 'b', [a, standby]],
    ['that leads now', 'b', [member('a', { sequence: 9 }), member('b', { owned: 'b' })]],
    ['whose id comes first, where the other led under a former id', 'a', [a, member('b', { owned: 'b-0' })]],
    ['of none, where there are no members', undefined, []],
  ])('is the one %s', (_what, expected, members) => {
    expect(chooseLeader(members)).toBe(expected);
    expect(chooseLeader([...members].reverse())).toBe(expected);
  });

  test('a member of another program with the same protocol has no claim', () => {
    const said = (userData: string) =>
      encodeConsumerProtocolSubscription({ version: 0, topics: ['likes'], userData: Buffer.from(userData) });
    const none = { owned: null, sequence: 0, standby: true };
    for (const bytes of [
      said('not ours'),
      said('{"owned":"0"}'),
      said(''),
      said('[]'),
      Buffer.alloc(0),
      Buffer.from([1, 2, 3]),
    ]) {
      expect(claimantOf('0', bytes)).toEqual({ memberId: '0', ...none });
    }
    const claim = { owned: 'b', sequence: 8, standby: true };
    expect(claimantOf('b', said(JSON.stringify(claim)))).toEqual({ memberId: 'b', ...claim });
    expect(chooseLeader([claimantOf('0', said('not ours')), a])).toBe('a');
  });
});

const note = { space: 'a-space', epoch: 3, step: 70 };

test('the note with the highest sequence counts, at any partition and with any step', () => {
  const notes = [
    encodeGroupNote({ sequence: 4, reader: 'one', note: { ...note, step: 900 } }),
    null,
    encodeGroupNote({ sequence: 6, reader: 'two', note }),
    encodeGroupNote({ sequence: 5, reader: 'two' }),
  ];
  expect(latestNote(notes)).toEqual({ sequence: 6, reader: 'two', note });
  expect(latestNote(notes.reverse())).toEqual({ sequence: 6, reader: 'two', note });
});

test('metadata of other programs is ignored', () => {
  const others = [null, '', 'saved by a tool', '{"sequence":"9","reader":"x"}', '{"sequence":9}', '[]', '9'];
  expect(latestNote(others)).toBeUndefined();
  const ours = encodeGroupNote({ sequence: 1, reader: 'one' });
  expect(latestNote([...others, ours])).toEqual({ sequence: 1, reader: 'one' });
  expect(latestNote(['{"sequence":2,"reader":"x","note":{"space":1}}', ours])?.sequence).toBe(1);
});
