import { describe, expect, test } from 'vitest';
import type { EntityKey } from '../../../src/graph/entity.ts';
import type { OutboxPart } from '../../../src/graph/outbox.ts';
import { type Put, type PutBy, Waiting } from '../../../src/pipeline/writing/waiting.ts';
import { part, user } from '../../graph/graph-fixture.ts';

const [A, B, C] = [user('a'), user('b'), user('c')];
const users = (count: number, from = 0) => Array.from({ length: count }, (_, i) => user(`u${from + i}`));

const put = (name: EntityKey, rest: Partial<Put> = {}): Put => ({
  ...{ name, row: 1, place: -1, eventAt: undefined, ...rest },
});
const by = (commit: number): PutBy => ({ commit, step: commit, since: undefined });

/** What is stored, beside what waits: commits put and delete parts as they are told to. */
class Stored {
  readonly parts: OutboxPart[];
  readonly waiting: Waiting;
  #commit = 0;

  constructor(loaded: readonly OutboxPart[] = []) {
    this.parts = [...loaded];
    this.waiting = new Waiting(loaded);
    this.waiting.load(0, () => 1);
  }

  async commit(names: readonly (EntityKey | Put)[], since?: number): Promise<void> {
    const outbox = this.waiting.prepare(names.map((each) => (typeof each === 'string' ? put(each) : each)));
    for (const { number } of outbox.cleared) {
      const at = this.parts.findIndex((each) => each.number === number);
      expect(at).toBeGreaterThanOrEqual(0);
      this.parts.splice(at, 1);
    }
    this.parts.push(...[...outbox.parts, ...outbox.moved].map((each) => part(each.number, ...each.names)));
    // Most parts are of a thousand names, and one of which half wait is not written again.
    const again = outbox.moved.reduce((sum, each) => sum + each.names.length, 0);
    expect(again).toBeLessThan(names.length + 500);
    const written = [...outbox.parts, ...outbox.moved].flatMap((each) => each.names);
    expect(new Set(written).size).toBe(written.length);
    await this.waiting.add(outbox, { ...by(++this.#commit), since });
    expect([outbox.waiting, outbox.stored]).toEqual([this.waiting.size, this.parts.length]);
  }

  /** Sends so many. */
  send(most = 2_000): EntityKey[] {
    const taken = this.waiting.take(most).map(({ name }) => name);
    this.waiting.acknowledged();
    return taken;
  }

  get numbers() {
    return this.parts.map(({ number }) => number);
  }

  get names(): Set<EntityKey> {
    return new Set(this.parts.flatMap(({ names }) => names));
  }
}

describe('what waits to be published', () => {
  test('a part is kept until all of its names are acknowledged', async () => {
    const stored = new Stored();
    await stored.commit([A, B, C]);
    expect(stored.send(2)).toEqual([A, B]);
    expect(stored.waiting.cleared).toBe(0);
    await stored.commit([]);
    expect([stored.numbers, stored.waiting.size]).toEqual([[1], 1]);
    expect(stored.send()).toEqual([C]);
    expect(stored.waiting.cleared).toBe(1);
    await stored.commit([]);
    expect([stored.numbers, stored.waiting.size, stored.waiting.cleared]).toEqual([[], 0, 0]);
  });

  test('names go into parts of a thousand, each deleted when all of its names are acknowledged', async () => {
    const stored = new Stored();
    await stored.commit(users(2_500));
    expect(stored.parts.map(({ names }) => names.length)).toEqual([1_000, 1_000, 500]);
    stored.send(1_999);
    await stored.commit([]);
    expect(stored.numbers).toEqual([2, 3]);
    stored.send();
    await stored.commit([]);
    expect(stored.numbers).toEqual([]);
  });

  test('a part is deleted when its waiting names are in later parts, in hand or not', async () => {
    const stored = new Stored();
    await stored.commit([A, B]);
    expect(stored.waiting.take(1).map(({ name }) => name)).toEqual([A]);
    // a is in hand, b waits: both move on into the second part.
    await stored.commit([B, A]);
    await stored.commit([]);
    expect(stored.numbers).toEqual([2]);
    // What is acknowledged is what a was before.
    stored.waiting.acknowledged();
    await stored.commit([]);
    expect([stored.numbers, stored.waiting.size]).toEqual([[2], 2]);
    expect(stored.send()).toEqual([B, A]);
    await stored.commit([]);
    expect(stored.numbers).toEqual([]);
  });

  test('a vector acknowledged while a commit moves it again waits again, in the part of that commit', async () => {
    const { waiting } = new Stored();
    const first = waiting.prepare([put(A)]);
    await waiting.add(first, by(1));
    waiting.take(1);
    const second = waiting.prepare([put(A)]);
    waiting.acknowledged();
    await waiting.add(second, by(2));
    expect([waiting.size, waiting.first?.name, waiting.cleared]).toEqual([1, A, 1]);
    expect(waiting.prepare([]).cleared.map(({ number }) => number)).toEqual([1]);
    waiting.take(1);
    waiting.acknowledged();
    expect(waiting.prepare([]).cleared.map(({ number }) => number)).toEqual([2]);
  });

  test('a vector that moves again while it waits keeps its place, its arrival and the time of its first event', async () => {
    const stored = new Stored();
    await stored.commit([A, put(B, { eventAt: 10 })], 1);
    await stored.commit([put(B, { eventAt: 20, row: 7 }), put(A, { eventAt: 20, row: 7 })], 2);
    expect(stored.waiting.take(9)).toMatchObject([
      { name: A, since: 1, eventAt: 20, commit: 2, row: 7 },
      { name: B, since: 1, eventAt: 10, commit: 2, row: 7 },
    ]);
  });

  test('an entity in hand that lost its row since is void, however often it was put up again', async () => {
    const stored = new Stored();
    await stored.commit([A, B]);
    const taken = stored.waiting.take(2);
    await stored.commit([A, B]);
    expect(taken.map((due) => stored.waiting.isVoid(due))).toEqual([false, false]);
    await stored.commit([put(A, { row: undefined })]);
    expect(taken.map((due) => stored.waiting.isVoid(due))).toEqual([true, false]);
  });

  test('after a start the names of the stored parts wait, each once, and part numbers go on rising', async () => {
    const stored = new Stored([part(4, A, B), part(9, B, C)]);
    expect(stored.waiting.size).toBe(3);
    // a and b in the order of the first part; b keeps the second.
    expect(stored.send(1)).toEqual([A]);
    await stored.commit([A]);
    expect(stored.numbers).toEqual([9, 10]);
    expect(stored.send()).toEqual([B, C, A]);
    await stored.commit([]);
    expect(stored.numbers).toEqual([]);
  });

  test('after a kill, acknowledged names of a stored part are sent once more', async () => {
    const stored = new Stored();
    await stored.commit(users(1_500));
    stored.send(1_200);
    await stored.commit([A]);
    const again = new Stored(stored.parts);
    expect(again.send()).toEqual([...users(500, 1_000), A]);
    await again.commit([]);
    expect(again.parts).toEqual([]);
  });

  test('the outbox of a standby stays stored', () => {
    const waiting = new Waiting([part(4, A)]);
    expect(waiting.prepare([])).toMatchObject({ waiting: 0, stored: 1, cleared: [], parts: [] });
    // It can lead more than once.
    waiting.load(0, () => 1);
    waiting.load(0, () => 1);
    expect(waiting.size).toBe(1);
    waiting.take(1);
    waiting.acknowledged();
    expect(waiting.prepare([])).toMatchObject({ stored: 0, cleared: [{ number: 4 }] });
  });

  test('parts do not pile up while nothing is acknowledged and one name of each commit moves no more', async () => {
    const stored = new Stored();
    const busy = users(990);
    const heldMost = { names: 0 };
    for (let i = 0; i < 200; i++) {
      await stored.commit([...busy, ...users(10, 1_000 + 10 * i)]);
      const names = stored.parts.reduce((sum, each) => sum + each.names.length, 0);
      heldMost.names = Math.max(heldMost.names, names - 2 * stored.waiting.size);
    }
    // Left alone they would be 200 parts of 1,000 names each, with 2,990 that wait.
    expect(stored.waiting.size).toBe(2_990);
    // Those before go with the next commit.
    expect(heldMost.names).toBeLessThan(16_000 + 2 * 2_990);
    expect(stored.names.size).toBe(2_990);
    // All that waits is sent, in the order in which it was put up first, and everything goes.
    expect(stored.send(3_000)).toEqual([...busy, ...users(2_000, 1_000)]);
    await stored.commit([]);
    expect(stored.parts).toEqual([]);
  });

  test('what waits is not written again at once: a commit writes no more names again than it puts up', async () => {
    const stored = new Stored();
    // Of each commit's names, 400 come once, and 100 of them come again 85 commits later.
    const once = (commit: number, count: number) => users(count, 1_000 + 400 * commit);
    for (let i = 0; i < 120; i++)
      await stored.commit([...users(600), ...once(i, 400), ...(i < 85 ? [] : once(i - 85, 100))]);
    const names = stored.parts.reduce((sum, each) => sum + each.names.length, 0);
    // Left alone, 123,500 names.
    expect([stored.waiting.size, stored.names.size]).toEqual([48_600, 48_600]);
    expect(names).toBeLessThan(2 * 48_600 + 16_000 + 2 * 1_000);
  });

  test('entries are sent while those of a large commit are still put up, each once and in order', async () => {
    const waiting = new Waiting();
    const all = users(5_000);
    const adding = waiting.add(waiting.prepare(all.map((name) => put(name))), by(1));
    const take = () => {
      const taken = waiting.take(5_000).map(({ name }) => name);
      waiting.acknowledged();
      return taken;
    };
    const first = take();
    expect(first.length).toBeGreaterThan(0);
    expect(first.length).toBeLessThan(5_000);
    await adding;
    expect([...first, ...take()]).toEqual(all);
    expect(waiting.prepare([])).toMatchObject({ waiting: 0, stored: 0 });
  });

  test('no part is kept for names acknowledged while the part was written', async () => {
    const waiting = new Waiting();
    const putUp = (...names: EntityKey[]) => waiting.prepare(names.map((name) => put(name)));
    await waiting.add(putUp(A, ...users(999)), by(1));
    // The first part waits for a alone from here on, until so much is stored that a is put into another.
    let outbox = putUp(...users(999));
    for (let i = 0; i < 30 && outbox.moved.length === 0; i++) {
      await waiting.add(outbox, by(2));
      outbox = putUp(...users(999), user(`once${i}`));
    }
    expect(outbox.moved[0]?.names[0]).toBe(A);
    expect(waiting.take(1).map(({ name }) => name)).toEqual([A]);
    waiting.acknowledged();
    await waiting.add(outbox, by(3));
    waiting.take(2_000);
    waiting.acknowledged();
    expect(waiting.prepare([])).toMatchObject({ waiting: 0, stored: 0 });
  });
});
