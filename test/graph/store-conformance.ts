import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Entry, Store } from '../../src/graph/store.ts';
import { WriteBatch } from '../../src/graph/write-batch.ts';

/** A store under test. */
export interface Candidate {
  open(): Promise<Store>;
  /** Closes the store and opens it again; undefined for a store in memory. */
  reopen?(store: Store): Promise<Store>;
}

const bytes = (...values: number[]) => Buffer.from(values);
const hex = (value: Uint8Array | undefined) => value && Buffer.from(value).toString('hex');

/** Puts and deletes in hex; a value of null deletes. */
export function batchOf(...operations: (readonly [key: string, value: string | null])[]): WriteBatch {
  const batch = new WriteBatch();
  for (const [key, value] of operations) {
    if (value === null) batch.delete(Buffer.from(key, 'hex'));
    else batch.put(Buffer.from(key, 'hex'), Buffer.from(value, 'hex'));
  }
  return batch;
}

export async function scanned(entries: AsyncIterable<Entry>): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for await (const { key, value } of entries) found.push([hex(key) ?? '', hex(value) ?? '']);
  return found;
}

/** What every store must do. The model is a list of hex strings, which sort as the bytes do. */
export function storeConformance(name: string, candidate: Candidate): void {
  describe(`${name} as a store`, () => {
    let store: Store;
    beforeEach(async () => {
      store = await candidate.open();
    });
    afterEach(() => store.close());

    test('scans exactly the keys with the prefix, ordered by unsigned bytes', async () => {
      const keys = ['61', '6100', '617f', '6180', '61ff', '61ff00', '61ffff', '62', '62ff', '60ff', '6f'];
      await store.write(batchOf(...keys.toReversed().map((key) => [key, '00'] as const)));
      const under = async (...prefix: number[]) =>
        (await scanned(store.scan(bytes(...prefix)))).map(([key]) => key);
      expect(await under(0x61)).toEqual(['61', '6100', '617f', '6180', '61ff', '61ff00', '61ffff']);
      expect(await under(0x61, 0xff)).toEqual(['61ff', '61ff00', '61ffff']);
      expect(await under(0x61, 0xff, 0xff)).toEqual(['61ffff']);
      expect(await under(0x62, 0xff)).toEqual(['62ff']);
      expect(await under(0x63)).toEqual([]);
      expect(await store.getMany([])).toEqual([]);
      await store.write(batchOf(['ff', '00'], ['ffff01', '00'], ['00', '00']));
      expect(await under(0xff)).toEqual(['ff', 'ffff01']);
      expect(await under()).toEqual(['00', ...keys.toSorted(), 'ff', 'ffff01']);
    });

    test('copies keys and values, so that callers can use their buffers again', async () => {
      const key = bytes(0x61);
      const value = bytes(1, 2, 3);
      const batch = new WriteBatch();
      batch.put(key, value);
      await store.write(batch);
      key[0] = 0x62;
      value.fill(9);
      expect(await scanned(store.scan(bytes(0x61)))).toEqual([['61', '010203']]);
      await store.write(new WriteBatch());
    });

    test('writes of a batch that was cleared what came since, and keeps what it wrote before', async () => {
      const batch = new WriteBatch();
      // Many of one size, of which the next write has fewer, in another order; one that is large; an empty value.
      const write = async (from: number, count: number, large: number) => {
        batch.clear();
        for (let i = 0; i < count; i++) batch.put(bytes(0x61, from + i), bytes(i, from));
        batch.put(bytes(0x62, from), Buffer.alloc(large, from));
        batch.put(bytes(0x63, from), bytes());
        batch.delete(bytes(0x61, from - 1));
        await store.write(batch);
      };
      await write(10, 200, 5_000);
      await write(5, 3, 4);
      const found = await scanned(store.scan(bytes(0x61)));
      const [first, second] = [
        Array.from({ length: 200 }, (_, i) => [10 + i, i, 10]),
        [
          [5, 0, 5],
          [6, 1, 5],
          [7, 2, 5],
        ],
      ];
      expect(found).toEqual(
        [...second, ...first].map(([at = 0, ...value]) => [hex(bytes(0x61, at)), hex(bytes(...value))]),
      );
      expect((await scanned(store.scan(bytes(0x62)))).map(([, value]) => value.length)).toEqual([8, 10_000]);
      expect(await scanned(store.scan(bytes(0x63)))).toEqual([
        ['6305', ''],
        ['630a', ''],
      ]);
    });

    test('scans one moment: a concurrent write is seen completely or not at all', async () => {
      const at = (version: string, count: number) =>
        Array.from({ length: count }, (_, i) => [`61${String(i).padStart(4, '0')}`, version] as const);
      await store.write(batchOf(...at('01', 3_000)));
      const seen = new Set<string>();
      let entries = 0;
      for await (const { value } of store.scan(bytes(0x61))) {
        if (++entries === 1) await store.write(batchOf(...at('02', 3_001)));
        seen.add(hex(value) ?? '');
      }
      expect([entries, [...seen]]).toEqual([3_000, ['01']]);
    });

    test('allows leaving a scan early, and closing twice', async () => {
      await store.write(
        batchOf(
          ...Array.from({ length: 2_000 }, (_, i) => [`61${String(i).padStart(4, '0')}`, '01'] as const),
        ),
      );
      for await (const _ of store.scan(bytes(0x61))) break;
      for await (const run of store.runs(bytes(0x61))) expect(run.length).toBeGreaterThan(0);
      for await (const run of store.runs(bytes(0x7a))) expect(run).toBeUndefined();
      await store.close();
      await store.close();
    });

    test('is a map ordered by bytes, for any writes', async () => {
      // Of few bytes, so that keys are often written again, and are often a prefix of others.
      const tail = fc.array(fc.constantFrom('00', '7f', '80', 'ff'), { minLength: 1, maxLength: 4 });
      const start = fc.constantFrom('61', '617f7f7f7f');
      const key = fc.tuple(start, tail).map(([first, each]) => first + each.join(''));
      const operation = fc.tuple(
        key,
        fc.option(fc.uint8Array({ maxLength: 3 }).map((value) => hex(value) ?? '')),
      );
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(operation, { maxLength: 12 }), { maxLength: 6 }),
          key,
          async (batches, prefix) => {
            const old = await scanned(store.scan(bytes(0x61)));
            await store.write(batchOf(...old.map(([each]) => [each, null] as const)));
            const model = new Map<string, string>();
            for (const batch of batches) {
              await store.write(batchOf(...batch));
              for (const [each, value] of batch) {
                if (value === null) model.delete(each);
                else model.set(each, value);
              }
            }
            const sorted = [...model].sort(([a], [b]) => (a < b ? -1 : 1));
            expect(await scanned(store.scan(bytes(0x61)))).toEqual(sorted);
            expect(await scanned(store.scan(Buffer.from(prefix, 'hex')))).toEqual(
              sorted.filter(([each]) => each.startsWith(prefix)),
            );
            const asked = [prefix, ...model.keys(), prefix];
            expect((await store.getMany(asked.map((each) => Buffer.from(each, 'hex')))).map(hex)).toEqual(
              asked.map((each) => model.get(each)),
            );
          },
        ),
        { numRuns: 60 },
      );
    });

    if (candidate.reopen) {
      const reopen = candidate.reopen;
      test('holds the same entries after it was closed and opened again', async () => {
        await store.write(batchOf(['61', '01'], ['62', '02']));
        await store.write(batchOf(['61', null], ['63', '03']));
        store = await reopen(store);
        expect(await scanned(store.scan(bytes(0x62)))).toEqual([['62', '02']]);
        expect((await store.getMany([bytes(0x61), bytes(0x63)])).map(hex)).toEqual([undefined, '03']);
      });
    }
  });
}
