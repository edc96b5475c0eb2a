import { describe, expect, test } from 'vitest';
import { type EntityKey, entityKey, idOf } from '../../../src/graph/entity.ts';
import { EntityIndex } from '../../../src/graph/entity-index.ts';
import { Copies } from '../../../src/pipeline/exchange/copies.ts';
import { type Names, nameEnd } from '../../../src/pipeline/exchange/parcel.ts';

/** Shards 1 and 2 own the entities whose ids begin with their numbers. */
const homeOf = (key: EntityKey) => Number(idOf(key)[0]);
const A = entityKey('user', '1a');
const B = entityKey('user', '1b');
const C = entityKey('user', '2c');

function set(most = 2) {
  const index = new EntityIndex(4, ['user']);
  const time = { now: 0 };
  const copies = new Copies({ most, wantMs: 100, shards: 3, index, homeOf, clock: () => time.now });
  copies.begin();
  const make = (key: EntityKey): number => {
    const row = index.add(key, 0);
    copies.made(row);
    return row;
  };
  /** Lets go of what is above the bound, as `evict` does. */
  const evict = (): number[] => {
    const rows = copies.evict();
    for (const row of rows) index.remove(index.keyAt(row)!);
    return rows;
  };
  const told = (shard: number) =>
    copies.take(shard).map(({ released, wanted }) => ({
      ...(released.count > 0 && { released: idsIn(released) }),
      ...(wanted.count > 0 && { wanted: idsIn(wanted) }),
    }));
  return { index, time, copies, make, evict, told };
}

function idsIn({ count, names }: Names): string[] {
  const ids: string[] = [];
  for (let i = 0, start = 0; i < count; i++, start = nameEnd(names, start))
    ids.push(Buffer.from(names.subarray(start + 2, nameEnd(names, start))).toString());
  return ids;
}

describe('letting go', () => {
  test('begins above the bound, and takes what was not used', () => {
    const { copies, make, evict } = set();
    const [a, b] = [make(A), make(B)];
    expect([evict(), copies.isFull]).toEqual([[], true]);
    const c = make(C);
    // Each had its first round; then the hand is at the first again.
    copies.used(a);
    expect(evict()).toEqual([a]);
    expect([copies.size, copies.evicted, b, c]).toEqual([2, 1, 5, 6]);
  });

  test('tells the owner once the commit is written, and keeps the name for gradients until then', () => {
    const { index, copies, make, evict, told } = set(1);
    const a = make(A);
    make(C);
    expect([evict(), copies.hasNews]).toEqual([[a], false]);
    expect([told(1), copies.nameOf(a)?.toString()]).toEqual([[], expect.stringContaining('1a')]);
    expect(index.keyOf(copies.nameOf(a)!)).toBe(A);
    copies.written([a]);
    expect([copies.hasNews, told(2), told(1), told(1)]).toEqual([true, [], [{ released: ['1a'] }], []]);
    expect(copies.nameOf(a)).toBeUndefined();
  });

  test('says nothing before the process is the one writer', () => {
    const index = new EntityIndex(4, ['user']);
    const copies = new Copies({ most: 1, wantMs: 0, shards: 3, index, homeOf, clock: () => 0 });
    for (const key of [A, C]) copies.made(index.add(key, 0));
    for (const row of copies.evict()) {
      index.remove(index.keyAt(row)!);
      copies.written([row]);
    }
    copies.unasked(Buffer.from([0, 1, ...Buffer.from('1x')]), 1);
    expect([copies.hasNews, copies.take(1), copies.take(2)]).toEqual([false, [], []]);
  });

  test('answers a vector that nobody asked for', () => {
    const { copies, told } = set();
    copies.unasked(Buffer.from([0, 1, ...Buffer.from('1x')]), 1);
    expect(told(1)).toEqual([{ released: ['1x'] }]);
  });
});

describe('asking', () => {
  test('for a vector that has not come for long, and again much later', () => {
    const { time, copies, make, told } = set();
    const [a] = [make(A), make(C)];
    time.now = 99;
    expect([copies.hasNews, told(1)]).toEqual([false, []]);
    time.now = 100;
    expect([copies.hasNews, told(1), told(2)]).toEqual([true, [{ wanted: ['1a'] }], [{ wanted: ['2c'] }]]);
    expect([copies.asked, told(1)]).toEqual([2, []]);
    copies.arrived(a);
    time.now = 60 * 100 + 100;
    expect([told(1), told(2)]).toEqual([[], [{ wanted: ['2c'] }]]);
  });

  test('at once where the entity is named again before its owner was told that the copy was gone', () => {
    const { copies, make, evict, told } = set(1);
    const a = make(A);
    make(C);
    evict();
    // The commit without the copy is not written yet.
    make(A);
    copies.written([a]);
    expect(told(1)).toEqual([{ wanted: ['1a'] }]);
  });

  test('at once where the news that the copy is gone was not sent yet', () => {
    const { copies, make, evict, told } = set(1);
    const a = make(A);
    make(C);
    evict();
    copies.written([a]);
    make(A);
    expect(told(1)).toEqual([{ wanted: ['1a'] }]);
  });

  test('never of a copy that went meanwhile, twice in one commit', () => {
    const { time, copies, make, evict, told } = set(1);
    const a = make(A);
    make(C);
    evict();
    const again = make(A);
    // C, which was not used since the first round, goes; then A again, for B.
    const gone = evict();
    make(B);
    gone.push(...evict());
    expect(gone).toContain(again);
    time.now = 1_000;
    copies.written([a]);
    // Only the second time is the last.
    copies.written(gone);
    expect(told(1).flatMap(({ released = [] }) => released)).toEqual(['1a']);
    expect(told(1).flatMap(({ wanted = [] }) => wanted)).toEqual([]);
  });

  test('for copies that a store has without a vector, and for one whose entity starts again', () => {
    const { index, time, copies, told } = set(5);
    const [a, b, c] = [A, B, C].map((key) => index.add(key, 0));
    copies.load({ rows: [a!, b!, c!], absent: [b!] });
    copies.reset(c!);
    copies.reset(99);
    time.now = 100;
    expect([copies.size, told(1), told(2)]).toEqual([3, [{ wanted: ['1b'] }], [{ wanted: ['2c'] }]]);
  });
});

test('a bound that was lowered is reached in steps', () => {
  const { index, copies, evict } = set(1_000);
  const rows = Array.from({ length: 10_000 }, (_, i) => index.add(entityKey('user', `1-${i}`), 0));
  copies.load({ rows, absent: [] });
  expect([evict().length, copies.size]).toEqual([8_192, 1_808]);
  expect([evict().length, copies.size, evict().length]).toEqual([808, 1_000, 0]);
});

test('long lists take several parcels', () => {
  const { copies } = set();
  for (let i = 0; i < 4_500; i++) {
    const id = Buffer.from(`1${i}`);
    copies.unasked(Buffer.concat([Buffer.from([0, id.length - 1]), id]), 1);
  }
  expect(copies.take(1).map(({ released }) => released.count)).toEqual([2_000, 2_000, 500]);
});
