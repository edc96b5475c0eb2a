import fc from 'fast-check';
import { expect, it } from 'vitest';
import { EdgeLists, MOST_AT } from '../../../src/serve/activity/edge-lists.ts';
import { EntityIds } from '../../../src/serve/entity-ids.ts';
import { T0, user } from '../serve-fixture.ts';

interface PlainRecord {
  readonly other: number;
  readonly kind: number;
  readonly at: number;
  readonly flags: number;
}

/** Lists of owners 0, 1, … and others; each of them is held once by the test. */
function listsOf(owners: number): { ids: EntityIds; lists: EdgeLists } {
  const ids = new EntityIds();
  for (let i = 0; i < owners; i++) expect(ids.hold(user(i))).toBe(i);
  return { ids, lists: new EdgeLists(ids) };
}

function recordsOf(lists: EdgeLists, list: number): PlainRecord[] {
  const records = lists.recordsOf(list);
  return Array.from({ length: records.length }, (_, i) => ({
    other: records.other(i),
    kind: records.kind(i),
    at: records.at(i),
    flags: records.flags(i),
  }));
}

it('keeps what arrays keep, whatever comes, goes and changes its size', () => {
  const record = fc.record({
    other: fc.integer({ min: 0, max: 7 }),
    kind: fc.constantFrom(0, 1, 255),
    at: fc.constantFrom(0, 1, T0, T0 + 1, 2 ** 32, MOST_AT),
    flags: fc.integer({ min: 0, max: 15 }),
  });
  const owner = fc.integer({ min: 0, max: 7 });
  const place = fc.double({ min: 0, max: 0.999, noNaN: true });
  const operation = fc.oneof(
    // So many at once that blocks of one size fill pages, and that lists pass over sizes.
    fc.record({ owner, add: record, times: fc.constantFrom(1, 1, 2, 7, 40, 700) }),
    fc.record({ owner, insert: record, place }),
    fc.record({ owner, remove: place, times: fc.constantFrom(1, 3, 500) }),
    fc.record({ owner, keep: fc.integer({ min: 2, max: 5 }) }),
    fc.record({ owner, setAt: place, at: fc.constantFrom(5, T0 + 7, MOST_AT) }),
    fc.record({ owner, close: fc.constant(true) }),
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60, size: 'max' }), (operations) => {
      const { ids, lists } = listsOf(8);
      const plain = new Map<number, PlainRecord[]>();
      for (const each of operations) {
        const known = plain.get(each.owner) ?? [];
        const list = lists.open(each.owner);
        plain.set(each.owner, known);
        if ('add' in each) {
          const { other, kind, at, flags } = each.add;
          for (let i = 0; i < each.times; i++) {
            lists.add(list, other, kind, at, flags);
            known.push(each.add);
          }
        } else if ('insert' in each) {
          const i = Math.floor(each.place * (known.length + 1));
          const { other, kind, at, flags } = each.insert;
          lists.add(list, other, kind, at, flags, i);
          known.splice(i, 0, each.insert);
        } else if ('remove' in each) {
          const i = Math.floor(each.remove * known.length);
          const count = Math.min(each.times, known.length - i);
          if (count > 0) lists.remove(list, i, count);
          known.splice(i, count);
        } else if ('keep' in each) {
          lists.keep(list, (_, i) => i % each.keep === 0);
          plain.set(
            each.owner,
            known.filter((_, i) => i % each.keep === 0),
          );
        } else if ('setAt' in each) {
          const i = Math.floor(each.setAt * known.length);
          if (known.length > 0) {
            lists.setAt(list, i, each.at);
            known[i] = { ...known[i]!, at: each.at };
          }
        } else {
          lists.close(list);
          plain.delete(each.owner);
        }
        for (let of = 0; of < 8; of++) {
          const wanted = plain.get(of);
          const found = lists.find(of);
          expect(found >= 0).toBe(wanted !== undefined);
          expect(recordsOf(lists, found)).toEqual(wanted ?? []);
        }
      }
      // Nobody but the test holds an entity once all lists are closed.
      for (const of of plain.keys()) lists.close(lists.find(of));
      for (let of = 0; of < 8; of++) ids.release(of);
      expect(ids.size).toBe(0);
    }),
    { numRuns: 40 },
  );
});

it('takes 12 bytes a record at most, also when all lists grow at the same pace', () => {
  const owners = 60_000;
  const { lists } = listsOf(owners);
  for (let i = 0; i < owners; i++) lists.open(i);
  const before = lists.bytes;
  const inUse: number[] = [];
  for (let nth = 1; nth <= 20; nth++) {
    for (let i = 0; i < owners; i++) lists.add(lists.find(i), (i * 7 + nth) % owners, 0, T0);
    inUse.push((lists.bytes - before) / (nth * owners));
  }
  // A record has 11 bytes and a list 4 more; each size that was left behind keeps a page of 23,000 bytes.
  expect(inUse[9]).toBeLessThan(12);
  expect(inUse[19]).toBeLessThan(12);
  for (let i = 0; i < owners; i++) lists.remove(lists.find(i), 0, 19);
  expect((lists.bytes - before) / owners).toBeLessThan(30);
});
