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

  commit(names: readonly (EntityKey | Put)[], since?: number): void {
    const outbox = this.waiting.prepare(names.map((each) => (typeof each === 'string' ? put(each) : each)));
    for (const { number } of outbox.cleared) {
      const at = this.parts.findIndex((each) => each.number === number);
      expect(at).toBeGreaterThanOrEqual(0);
      this.parts.splice(at, 1);
    }
    this.parts.push(...[...outbox.parts, ...outbox.moved].map((each) => part(each.number, ...each.names)));
    this.waiting.add(outbox, { ...by(++this.#commit), since });
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
  test('a part is kept until all of its names are acknowledged', () => {
    const stored = new Stored();
    stored.commit([A, B, C]);
    expect(stored.send(2)).toEqual([A, B]);
    expect(stored.waiting.cleared).toBe(0);
    stored.commit([]);
    expect([stored.numbers, stored.waiting.size]).toEqual([[1], 1]);
    expect(stored.send()).toEqual([C]);
    expect(stored.waiting.cleared).toBe(1);
    stored.commit([]);
    expect([stored.numbers, stored.waiting.size, stored.waiting.cleared]).toEqual([[], 0, 0]);
  });

  test('names go into parts of a thousand, each deleted when all of its names are acknowledged', () => {
    const stored = new Stored();
    stored.commit(users(2_500));
    expect(stored.parts.map(({ names }) => names.length)).toEqual([1_000, 1_000, 500]);
    stored.send(1_999);
    stored.commit([]);
    expect(stored.numbers).toEqual([2, 3]);
    stored.send();
    stored.commit([]);
    expect(stored.numbers).toEqual([]);
  });

  test('a part is deleted when its waiting names are in later parts, in hand or not', () => {
    const stored = new Stored();
    stored.commit([A, B]);
    expect(stored.waiting.take(1).map(({ name }) => name)).toEqual([A]);
    // a is in hand, b waits: both move on into the second part.
    stored.commit([B, A]);
    stored.commit([]);
    expect(stored.numbers).toEqual([2]);
    // What is acknowledged is what a was before.
    stored.waiting.acknowledged();
    stored.commit([]);
    expect([stored.numbers, stored.waiting.size]).toEqual([[2], 2]);
    expect(stored.send()).toEqual([B, A]);
    stored.commit([]);
    expect(stored.numbers).toEqual([]);
  });

  test('a vector acknowledged while a commit moves it again waits again, in the part of that commit', () => {
    const { waiting } = new Stored();
    const first = waiting.prepare([put(A)]);
    waiting.add(first, by(1));
    waiting.take(1);
    const second = waiting.prepare([put(A)]);
    waiting.acknowledged();
    waiting.add(second, by(2));
    expect([waiting.size, waiting.first?.name, waiting.cleared]).toEqual([1, A, 1]);
    expect(waiting.prepare([]).cleared.map(({ number }) => number)).toEqual([1]);
    waiting.take(1);
    waiting.acknowledged();
    expect(waiting.prepare([]).cleared.map(({ number }) => number)).toEqual([2]);
  });

  test('a vector that moves again while it waits keeps its place, its arrival and the time of its first event', () => {
    const stored = new Stored();
    stored.commit([A, put(B, { eventAt: 10 })], 1);
    stored.commit([put(B, { eventAt: 20, row: 7 }), put(A, { eventAt: 20, row: 7 })], 2);
    expect(stored.waiting.take(9)).toMatchObject([
      { name: A, since: 1, eventAt: 20, commit: 2, row: 7 },
      { name: B, since: 1, eventAt: 10, commit: 2, row: 7 },
    ]);
  });

  test('an entity in hand that lost its row since is void, however often it was put up again', () => {
    const stored = new Stored();
    stored.commit([A, B]);
    const taken = stored.waiting.take(2);
    stored.commit([A, B]);
    expect(taken.map((due) => stored.waiting.isVoid(due))).toEqual([false, false]);
    stored.commit([put(A, { row: undefined })]);
    expect(taken.map((due) => stored.waiting.isVoid(due))).toEqual([true, false]);
  });

  test('after a start the names of the stored parts wait, each once, and part numbers go on rising', () => {
    const stored = new Stored([part(4, A, B), part(9, B, C)]);
    expect(stored.waiting.size).toBe(3);
    // a and b in the order of the first part; b keeps the second.
    expect(stored.send(1)).toEqual([A]);
    stored.commit([A]);
    expect(stored.numbers).toEqual([9, 10]);
    expect(stored.send()).toEqual([B, C, A]);
    stored.commit([]);
    expect(stored.numbers).toEqual([]);
  });

  test('after a kill, acknowledged names of a stored part are sent once more', () => {
    const stored = new Stored();
    stored.commit(users(1_500));
    stored.send(1_200);
    stored.commit([A]);
    const again = new Stored(stored.parts);
    expect(again.send()).toEqual([...users(500, 1_000), A]);
    again.commit([]);
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

  test('parts do not pile up while nothing is acknowledged and one name of each commit moves no more', () => {
    const stored = new Stored();
    const busy = users(990);
    const heldMost = { names: 0 };
    for (let i = 0; i < 200; i++) {
      stored.commit([...busy, ...users(10, 1_000 + 10 * i)]);
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
    stored.commit([]);
    expect(stored.parts).toEqual([]);
  });

  test('no part is kept for names acknowledged while the part was written', () => {
    const waiting = new Waiting();
    const putUp = (...names: EntityKey[]) => waiting.prepare(names.map((name) => put(name)));
    waiting.add(putUp(A, ...users(999)), by(1));
    // The first part waits for a alone from here on, until so much is stored that a is put into another.
    let outbox = putUp(...users(999));
    for (let i = 0; i < 30 && outbox.moved.length === 0; i++) {
      waiting.add(outbox, by(2));
      outbox = putUp(...users(999), user(`once${i}`));
    }
    expect(outbox.moved[0]?.names[0]).toBe(A);
    expect(waiting.take(1).map(({ name }) => name)).toEqual([A]);
    waiting.acknowledged();
    waiting.add(outbox, by(3));
    waiting.take(2_000);
    waiting.acknowledged();
    expect(waiting.prepare([])).toMatchObject({ waiting: 0, stored: 0 });
  });
});
