import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type EntityKey, entityKey } from '../../src/graph/entity.ts';
import type { EntityIndex } from '../../src/graph/entity-index.ts';
import { GraphStore } from '../../src/graph/graph-store.ts';
import { PAGE_ROWS } from '../../src/graph/layout.ts';
import { WriteBatch } from '../../src/graph/write-batch.ts';
import { entity, graph, HEAD, recordOf, tweet, user } from './graph-fixture.ts';

/** A graph whose updater has an index of its own, and commits what changed in it. */
class Updating {
  store = graph();
  index!: EntityIndex;
  readonly touched = new Set<number>();
  #commit = 0;

  /** As after a start: of what is stored, nothing is known but what the store says. */
  async start(): Promise<void> {
    this.store = new GraphStore(this.store.entries, this.store.layout);
    this.index = await this.store.loadIndex(await this.store.head());
    this.touched.clear();
  }

  saw(key: EntityKey, at: number): void {
    const row = this.index.find(key) ?? this.index.add(key, at);
    this.index.saw(row, at, at % 2 === 0);
    this.touched.add(row);
  }

  /** Asks for a commit, and gives how it is written: later ones may be asked for before. */
  commit(): () => Promise<void> {
    const { store, index, touched } = this;
    index.free.cut();
    const packed = index.pack(touched, store.entityEntries.next(touched.size, index.nextRow));
    const head = { ...HEAD, commit: ++this.#commit, rows: index.nextRow, freed: index.free.freed };
    touched.clear();
    return () => store.commit({ head, packed });
  }

  async entriesOf(kind: 'names' | 'states') {
    return Array.fromAsync(this.store.entries.scan(this.store.layout.prefixes[kind]));
  }
}

const recordsOf = (index: EntityIndex) =>
  Array.from({ length: index.nextRow }, (_, row) => recordOf(index, row)).filter(
    (each) => each !== undefined,
  );

async function started(): Promise<Updating> {
  const updating = new Updating();
  await updating.start();
  return updating;
}

describe("a store's entities", () => {
  test('are those of an index that committed its changes, read together and one by one, through erasures, restarts and commits that wait', async () => {
    const ids = ['a', 'b', 'c', 'é', 'x'.repeat(256), ...Array.from({ length: 200 }, (_, n) => `u${n}`)];
    const keys = ['user', 'tweet'].flatMap((type) => ids.map((id) => entityKey(type, id)));
    const key = fc.constantFrom(...keys);
    const deed = fc.oneof(
      { weight: 12, arbitrary: fc.record({ sees: key, at: fc.nat(1_000) }) },
      { weight: 3, arbitrary: fc.record({ erases: key }) },
      { weight: 3, arbitrary: fc.constant('asks' as const) },
      { weight: 3, arbitrary: fc.constant('writes' as const) },
      { weight: 1, arbitrary: fc.constant('starts' as const) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(deed, { minLength: 20, maxLength: 300 }), async (deeds) => {
        const updating = await started();
        const asked: (() => Promise<void>)[] = [];
        const written = async (left: number) => {
          while (asked.length > left) await asked.shift()!();
        };
        for (const each of [...deeds, 'starts' as const]) {
          if (each === 'asks') asked.push(updating.commit());
          else if (each === 'writes') await written(Math.max(0, asked.length - 1));
          else if (each === 'starts') {
            asked.push(updating.commit());
            await written(0);
            const before = recordsOf(updating.index);
            await updating.start();
            expect(recordsOf(updating.index)).toEqual(before);
          } else if ('sees' in each) updating.saw(each.sees, each.at);
          else {
            const row = updating.index.find(each.erases);
            updating.index.remove(each.erases);
            if (row !== undefined) updating.touched.delete(row);
          }
        }
        const { store, index } = updating;
        const { entityEntries } = store;
        for (const each of [...keys, entityKey('query', 'a')])
          expect(await entityEntries.find(each)).toEqual(index.stateBy(each));
        const rows = Array.from({ length: index.nextRow + 1 }, (_, row) => row);
        expect(await entityEntries.keysAt(rows)).toEqual(rows.map((row) => index.keyAt(row)));
      }),
    );
  });

  test('take the room of each state at most four times, and one entry more for each commit of a turn', async () => {
    const updating = await started();
    const count = 5_000;
    const start = async (keys: number) => {
      for (let n = 0; n < keys; n++) updating.saw(user(`${n}`), n);
      await updating.commit()();
    };
    await start(count);
    let most = 0;
    for (let commit = 0; commit < 200; commit++) {
      // The first ones again and again: the others are not touched, and have their turn.
      for (let n = 0; n < 100; n++) updating.saw(user(`${n}`), count + commit);
      await updating.commit()();
      if (commit % 50 === 49) await updating.start();
      const entries = await updating.entriesOf('states');
      const bytes = entries.reduce((sum, { value }) => sum + value.length, 0);
      most = Math.max(most, bytes);
      // 5,000 rows, 256 a commit.
      expect(entries.length).toBeLessThanOrEqual(count / 256 + 3);
    }
    expect(most).toBeLessThan(4 * 28 * count);
    expect(await updating.store.entity(user('4999'))).toEqual(
      entity(user('4999'), 5_003, { firstSeen: 4_999, lastSeen: 4_999 }),
    );
  });

  test('are written in pages of names, of which a commit writes those in which one came or went', async () => {
    const updating = await started();
    for (let n = 0; n < 3 * PAGE_ROWS; n++) updating.saw(user(`${n}`), n);
    await updating.commit()();
    const pages = async () =>
      new Map(
        (await updating.entriesOf('names')).map(({ key, value }) => [
          updating.store.layout.numberOf(key),
          value,
        ]),
      );
    const before = await pages();
    // The relations have four rows.
    expect([...before.keys()]).toEqual([0, 1, 2, 3]);
    updating.saw(user('0'), 9_999);
    updating.index.remove(user('70'));
    const asked = updating.commit();
    // What comes after a commit was asked for is not in it.
    updating.saw(tweet('t'), 1);
    await asked();
    const after = await pages();
    const changed = [...after].flatMap(([page, value]) =>
      Buffer.compare(value, before.get(page)!) === 0 ? [] : [page],
    );
    expect(changed).toEqual([1]);
    expect(Buffer.from(before.get(1)!).toString()).toContain('70');
    expect(Buffer.from(after.get(1)!).toString()).not.toContain('70');
    for (let n = 0; n < 3 * PAGE_ROWS; n++) if (n > 59 && n < 124) updating.index.remove(user(`${n}`));
    await updating.commit()();
    expect([...(await pages()).keys()]).toEqual([0, 2, 3]);
  });

  test('are found one by one where an id of an earlier page has the bytes of the name in it', async () => {
    const updating = await started();
    const [hidden, hiding] = [user('a'), user('\0\0a')];
    updating.saw(hiding, 1);
    for (let n = 0; n < PAGE_ROWS; n++) updating.saw(user(`${n}`), 2);
    updating.saw(hidden, 3);
    await updating.commit()();
    const { store, index } = updating;
    const [first] = await updating.entriesOf('names');
    expect(Buffer.from(first!.value).includes(store.layout.prefixes.edgesOut(hidden).subarray(1))).toBe(true);
    for (const key of [hidden, hiding])
      expect(await store.entity(key)).toEqual({ key, ...index.stateBy(key) });
  });

  test('come sorted by type, then the shorter id first, then by bytes of UTF-8', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.string({ unit: 'binary', minLength: 1, maxLength: 4 })),
        async (ids) => {
          const store = graph();
          const keys = ids.flatMap((id) => [tweet(id), user(id)]);
          await store.commit({ head: HEAD, entities: keys.map((key, i) => entity(key, 4 + i)) });
          const sorted = ids
            .map((id) => Buffer.from(id))
            .sort((a, b) => a.length - b.length || Buffer.compare(a, b));
          const found = await Array.fromAsync(store.entities(), ({ key }) => key);
          expect(found).toEqual([user, tweet].flatMap((named) => sorted.map((id) => named(`${id}`))));
        },
      ),
    );
  });

  test('that can not be read, or have no state, are a damaged store', async () => {
    const damages: [
      kind: 'names' | 'states',
      change: (value: Buffer) => Buffer | undefined,
      message: RegExp,
    ][] = [
      ['names', (value) => value.subarray(0, -1), /an impossible page of names: ff/],
      [
        'names',
        (value) => Buffer.concat([value, Buffer.alloc(PAGE_ROWS, 255)]),
        /an impossible page of names/,
      ],
      ['names', (value) => Buffer.from(value).fill(7), /an impossible page of names/],
      ['states', (value) => value.subarray(0, -4), /an impossible entry of states: 00/],
      ['states', () => Buffer.alloc(3), /an impossible entry of states: 000000/],
      ['states', () => undefined, /user:a has no possible state: seen from NaN to NaN; /],
    ];
    for (const [kind, change, message] of damages) {
      const updating = await started();
      updating.saw(user('a'), 5);
      await updating.commit()();
      const [{ key, value }] = (await updating.entriesOf(kind)) as [{ key: Buffer; value: Buffer }];
      const batch = new WriteBatch();
      const changed = change(value);
      if (changed === undefined) batch.delete(key);
      else batch.put(key, changed);
      await updating.store.entries.write(batch);
      await expect(updating.start(), String(message)).rejects.toMatchObject({
        code: 'store-damaged',
        message: expect.stringMatching(message),
      });
      if (kind === 'states')
        await expect(updating.store.entity(user('a'))).rejects.toMatchObject({ code: 'store-damaged' });
    }
  });
});
