import { encodeConsumerProtocolSubscription } from '@platformatic/kafka';
import { describe, expect, test } from 'vitest';
import { type Claim, chooseLeader, claimantOf, holdsOn } from '../../../../src/adapters/kafka/group/claim.ts';

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

  test('a member holds on when it led under its present id', () => {
    expect(holdsOn(member('a', { owned: 'a' }))).toBe(true);
    expect(holdsOn(member('a', { owned: 'a-before' }))).toBe(false);
    expect(holdsOn(a)).toBe(false);
  });
});
