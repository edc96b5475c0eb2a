import { describe, expect, it, test } from 'vitest';
import { encodeParcel, type Parcel } from '../../src/shards/parcel.ts';
import { type Expected, Peers } from '../../src/shards/peers.ts';
import { keptLog } from '../pipeline/faulty-sink.ts';
import { DIM, FINGERPRINT, parcelOf, recordOf, SPACE } from './exchange-fixture.ts';
import { EXCHANGE } from './shards-fixture.ts';

function peers({ now = () => 0, ...overrides }: Partial<Expected> & { now?: () => number } = {}) {
  const [log, counts] = [keptLog(), { unreadable: 0 }];
  const expected = {
    ...{ shard: { graph: 'g', index: 0, count: 3 }, topic: EXCHANGE, fingerprint: FINGERPRINT, space: SPACE },
    ...{ dim: DIM, relationRows: 2, log, ...overrides },
  };
  const made = new Peers(expected, {}, now);
  const read = (record: ReturnType<typeof recordOf>) => made.read(record, () => counts.unreadable++);
  return { peers: made, log, counts, read };
}

const value = encodeParcel(parcelOf({ last: 3 }), DIM);

describe('the gradients of a parcel are new', () => {
  /** Which of the parcels, each `first-last.part`, are new. */
  const applied = (made: Peers, list: string, of: Partial<Pick<Parcel, 'from' | 'run'>> = {}) =>
    list.split(' ').map((range) => {
      const [first = 0, last = 0, part = 0] = range.split(/[-.]/).map(Number);
      return made.isNew(parcelOf({ first, last, part, ...of }));
    });

  it.each([
    ['once', '0-10 0-10 10-20 0-10', [true, false, true, false]],
    ['in each part of a range, once', '0-9.0 0-9.1 0-9.2 0-9.0 0-9.2', [true, true, true, false, false]],
    ['in further parts of a batch without new edges', '0-9.0 9-9.1 9-9.2 9-9.1', [true, true, true, false]],
    [
      'unless they overlap a range received',
      '0-100 100-200 0-60 60-120 150-260',
      [true, true, false, false, false],
    ],
    ['unless another cut ends where one did', '0-100 60-100.1', [true, false]],
    ['behind a gap', '0-100 120-130 100-120', [true, true, false]],
  ])('%s: %s', (_, list, expected) => {
    expect(applied(peers().peers, list)).toEqual(expected);
  });

  it('by sender, and by the run of the sender', () => {
    const { peers: made } = peers();
    expect(applied(made, '0-500 0-50')).toEqual([true, false]);
    expect(applied(made, '0-50', { from: 2 })).toEqual([true]);
    expect(applied(made, '0-50 0-50', { run: 'fresh' })).toEqual([true, false]);
    expect(made.received()).toEqual({
      1: { run: 'fresh', first: 0, last: 50, part: 0 },
      2: { run: 'there', first: 0, last: 50, part: 0 },
    });
  });
});

describe('a record', () => {
  it('is a parcel of this training, by which its sender is heard of', () => {
    const { peers: made, read, counts } = peers();
    expect(read(recordOf(value, { timestamp: 11_500 }))).toMatchObject({ run: 'there', last: 3 });
    read(recordOf(value, { timestamp: 11_400 }));
    expect([counts.unreadable, made.list()]).toEqual([
      0,
      [
        { shard: 1, heardAt: 11_500, silentSince: 11_500 },
        { shard: 2, heardAt: undefined, silentSince: 0 },
      ],
    ]);
  });

  it('of another model ends the shard, with what to do', () => {
    expect(() => peers({ fingerprint: 'f00d' }).read(recordOf(value, { fingerprint: 'beef' }))).toThrow(
      expect.objectContaining({
        code: 'shards',
        message: expect.stringMatching(
          /fingerprint beef, configured here f00d \(.*, partition 0, offset 7\)/,
        ),
      }),
    );
  });

  it.each([
    ['no parcel', recordOf(null)],
    ['vectors of another dimension', recordOf(encodeParcel(parcelOf({}), DIM + 1))],
    [
      'relation vectors of another model',
      recordOf(encodeParcel(parcelOf({ relations: new Float32Array(3) }), DIM)),
    ],
    ['no name of its training', { ...recordOf(value), headers: { fingerprint: Buffer.from(FINGERPRINT) } }],
  ])('with %s is counted, warned of and passed over', (_, record) => {
    const { read, log, counts } = peers();
    expect([read(record), counts.unreadable]).toEqual([undefined, 1]);
    expect(log.lines.map(({ message }) => message)).toEqual([
      'a record is passed over: twhin.exchange.test, partition 0, offset 7',
    ]);
  });

  test('of another training is passed over, whatever its model, and told once where its sender still runs', () => {
    const { peers: made, read, log, counts } = peers({ now: () => 5_000 });
    const foreign = (timestamp: number, space: string) =>
      read(recordOf(value, { timestamp, space, fingerprint: 'beef' }));
    // Left in the topic from before this process began.
    foreign(4_999, 'before');
    expect(log.lines).toEqual([]);
    for (const space of ['before', 'before', 'another']) expect(foreign(5_500, space)).toBeUndefined();
    expect(log.lines.map(({ fields }) => fields)).toMatchObject([
      { space: 'before', own: SPACE },
      { space: 'another', own: SPACE },
    ]);
    expect([counts.unreadable, made.list().map(({ heardAt }) => heardAt)]).toEqual([
      0,
      [undefined, undefined],
    ]);
  });
});
