import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ShapeError } from '../../src/errors/errors.ts';
import { type EntityKey, typeOf } from '../../src/graph/entity.ts';
import { RefusedSpace, Spaces } from '../../src/serve/spaces.ts';
import { embedding, query, relationVector, T0, tweet, user } from './serve-fixture.ts';

/** Three runs of training, two of them with one fingerprint, and one of another length. */
const RUNS = [
  { space: 'a', fingerprint: 'f', dim: 2 },
  { space: 'b', fingerprint: 'f', dim: 2 },
  { space: 'b', fingerprint: 'g', dim: 3 },
] as const;
const ENTITIES = [tweet(1), tweet(2), tweet(3), user(1), user(2)];

interface Step {
  readonly entity: EntityKey;
  /** null: a tombstone. */
  readonly run: number | null;
}

const step: fc.Arbitrary<Step> = fc.record({
  entity: fc.constantFrom(...ENTITIES),
  run: fc.oneof({ weight: 5, arbitrary: fc.nat(2) }, { weight: 1, arbitrary: fc.constant(null) }),
});
/** A history that turns to each later space more and more, as take-overs do, and one without any order. */
const history = fc.oneof(
  fc.array(step, { maxLength: 40 }),
  fc.array(step, { maxLength: 40 }).map((steps) => steps.toSorted((a, b) => (a.run ?? 0) - (b.run ?? 0))),
);

/** The plain model: all that each space holds, and of which space each entity's newest record is. */
class Model {
  readonly held: Map<EntityKey, number>[] = RUNS.map(() => new Map());
  readonly newest = new Map<EntityKey, number>();
  /** Spaces in the order in which they began. */
  open: number[] = [];
  current: number | undefined;

  take({ entity, run }: Step, stamp: number): void {
    if (run === null) {
      for (const space of this.held) space.delete(entity);
      this.newest.delete(entity);
    } else {
      if (!this.open.includes(run)) this.open.push(run);
      this.current ??= run;
      this.held[run]!.set(entity, stamp);
      this.newest.set(entity, run);
    }
    // A space without any newest record is gone, unless it is the only one.
    for (const each of [...this.open]) {
      if (this.open.length === 1 || [...this.newest.values()].includes(each)) continue;
      this.open = this.open.filter((other) => other !== each);
      this.held[each]!.clear();
    }
    if (this.current !== undefined && !this.open.includes(this.current)) this.current = this.open.at(-1);
  }
}

describe('Spaces', () => {
  it('hold after any history what a plain model holds', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const spaces = new Spaces(100);
        const model = new Model();
        for (const [i, each] of steps.entries()) {
          const { dim, ...run } = RUNS[each.run ?? 0]!;
          const vector = each.run === null ? null : Array.from({ length: dim }, () => i + 1);
          spaces.embed(each.entity, embedding(vector, { ...run, step: i, at: T0 + i }));
          model.take(each, i + 1);

          const ids = spaces.all.map(({ space, fingerprint }) => `${space}/${fingerprint}`);
          expect(ids).toEqual(model.open.map((open) => `${RUNS[open]!.space}/${RUNS[open]!.fingerprint}`));
          expect(spaces.all.indexOf(spaces.current!)).toBe(
            model.current === undefined ? -1 : model.open.indexOf(model.current),
          );
          for (const [k, space] of spaces.all.entries()) {
            const open = model.open[k]!;
            expect([space.dim, space.left]).toEqual([
              RUNS[open]!.dim,
              [...model.newest.values()].filter((newest) => newest === open).length,
            ]);
            for (const entity of ENTITIES) {
              const stamp = model.held[open]!.get(entity);
              expect(space.vectorOf(entity)?.[0]).toBe(stamp);
            }
            // Nothing is in a table beside what the model has.
            for (const type of space.types) {
              const names = [...space.table(type)!.names()].sort();
              expect(names).toEqual([...model.held[open]!.keys()].filter((e) => typeOf(e) === type).sort());
            }
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['before', ['z', 'a', 'a', 'b', 'b', 'b'], 'b'],
    ['among', ['a', 'z', 'a', 'a'], 'a'],
  ])(
    'serve the space of most entities while the topics are read: a stray record came %s the others',
    (_, order, most) => {
      let caughtUp = false;
      const spaces = new Spaces(20, () => caughtUp);
      order.forEach((space, i) => void spaces.embed(tweet(i), embedding([1, 0], { space })));
      expect([spaces.current?.space, spaces.all.length]).toEqual([most, new Set(order).size]);
      caughtUp = true;
      // From now on, another space has to have all entities before it is served.
      for (let i = 10; i < 20; i++) spaces.embed(tweet(i), embedding([1, 0], { space: 'c' }));
      expect(spaces.current?.space).toBe(most);
      for (let i = 0; i < order.length; i++) spaces.embed(tweet(i), embedding([1, 0], { space: 'c' }));
      expect([spaces.current?.space, spaces.all.length]).toEqual(['c', 1]);
    },
  );

  it('keep four: the one that is served, the newest, and those of most entities; strays are refused or push one another out', () => {
    let caughtUp = false;
    const spaces = new Spaces(200, () => caughtUp);
    const embed = (i: number, space: string, epoch = 1) =>
      spaces.embed(tweet(i), embedding([1, 0], { space, epoch }));
    const kept = () => spaces.all.map(({ space, left }) => `${space} ${left}`);
    // A next store takes over. While the topics are read, any space may turn out to be the one of most entities.
    embed(0, 'next', 7);
    for (let i = 1; i < 50; i++) embed(i, i % 2 === 0 ? 'own' : `stray${i}`);
    expect(kept()).toEqual(['next 1', 'own 24', 'stray47 1', 'stray49 1']);
    expect(spaces.current?.space).toBe('own');
    caughtUp = true;
    expect(() => embed(2, 'late', 7)).toThrow(RefusedSpace);
    expect(() => embed(2, 'late', 7)).toThrow('of the space late, and 4 others are kept');
    expect(kept()).toEqual(['next 1', 'own 24', 'stray47 1', 'stray49 1']);
    embed(1, 'next', 7);
    for (let epoch = 8; epoch < 20; epoch++) embed(100, `stray${epoch}`, epoch);
    embed(3, 'last', 20);
    embed(5, 'last', 20);
    embed(7, 'stray', 21);
    expect(kept()).toEqual(['next 2', 'own 24', 'last 2', 'stray 1']);
    expect(spaces.current?.space).toBe('own');
  });

  it('know when an entity was active, before and after its vector, and in the next space', () => {
    const spaces = new Spaces(2);
    const idle = (before: number, unknown = true) => {
      const table = spaces.current!.table('tweet')!;
      const { marks, count } = table.idleRows(before, unknown);
      const names = [...table.entries()].filter(([, row]) => marks[row] === 1).map(([name]) => name);
      expect(count).toBe(names.length);
      // Many queries leave out the same rows: nothing is copied for each.
      expect(table.idleRows(before, unknown).marks).toBe(marks);
      return names;
    };
    spaces.active(tweet(1), T0 + 5);
    spaces.active(tweet(1), T0 + 3);
    for (const i of [1, 2]) spaces.embed(tweet(i), embedding([i, 0]));
    expect([idle(T0 + 6), idle(T0 + 6, false), idle(T0 + 5, false)]).toEqual([
      ...[[tweet(1), tweet(2)], [tweet(1)], []],
    ]);
    spaces.active(tweet(2), T0 + 9);
    spaces.active(tweet(2), T0 + 8);
    spaces.embed(tweet(1), embedding([9, 0]));
    expect([idle(T0 + 9), idle(T0 + 10)]).toEqual([[tweet(1)], [tweet(1), tweet(2)]]);
    for (const i of [1, 2]) spaces.embed(tweet(i), embedding([i, 0], { space: 'b' }));
    expect([spaces.current?.space, idle(T0 + 9)]).toEqual(['b', [tweet(1)]]);
    // A row that is used again knows nothing of who had it before.
    spaces.erase(tweet(2));
    spaces.embed(tweet(3), embedding([3, 0], { space: 'b' }));
    expect(idle(T0 + 6, false)).toEqual([tweet(1)]);
  });

  it('remember when entities without a vector were active: as many as rows while vectors are read, and then fewer', () => {
    let caughtUp = false;
    const spaces = new Spaces(1_000_000, () => caughtUp);
    const activeAt = (i: number) => {
      spaces.embed(tweet(i), embedding([i, 0]));
      return spaces.current!.table('tweet')!.activeAt(tweet(i)) - T0;
    };
    // Nothing was forgotten yet: of an entity that no event names nothing is known.
    expect(activeAt(-1)).toBe(-T0);
    for (let i = 0; i < 150_000; i++) spaces.active(tweet(i), T0 + i);
    expect([activeAt(0), activeAt(70_000)]).toEqual([0, 70_000]);
    caughtUp = true;
    for (let i = 150_000; i < 300_000; i++) spaces.active(tweet(i), T0 + i);
    // The newest are remembered. One that was forgotten is taken to have been active as late as any of the forgotten ones.
    expect([activeAt(299_999), activeAt(240_000)]).toEqual([299_999, 240_000]);
    const forgotten = activeAt(1);
    expect(forgotten).toBeGreaterThanOrEqual(149_999);
    expect(forgotten).toBeLessThan(240_000);
    // Another space knows as much, and no more, of an entity that was in the first one.
    for (const i of [-1, 240_000]) spaces.embed(tweet(i), embedding([i, 0], { space: 'b' }));
    const next = spaces.all.at(-1)!.table('tweet')!;
    expect([next.activeAt(tweet(-1)), next.activeAt(tweet(240_000)) - T0]).toEqual([0, 240_000]);
    // No more rows, no more entities that wait for one.
    const small = new Spaces(2);
    for (const i of [4, 5, 6]) small.active(tweet(i), T0 + i);
    for (const i of [6, 4]) small.embed(tweet(i), embedding([i, 0]));
    const table = small.current!.table('tweet')!;
    expect([table.activeAt(tweet(6)), table.activeAt(tweet(4))]).toEqual([T0 + 6, T0 + 4]);
    // Who has a row by now is not forgotten, and nobody is taken to have been active as late as they were.
    const left = new Spaces(2);
    for (const i of [4, 5]) left.active(tweet(i), T0 + i);
    left.embed(tweet(4), embedding([4, 0]));
    left.active(tweet(6), T0 + 6);
    left.embed(tweet(7), embedding([7, 0]));
    expect(left.current!.table('tweet')!.activeAt(tweet(7))).toBe(0);
  });

  it('know the highest step and the newest time of their vectors', () => {
    const spaces = new Spaces(10);
    spaces.embed(tweet(1), embedding([1, 0], { step: 7, at: T0 + 5 }));
    spaces.embed(tweet(2), embedding([1, 0], { step: 5, at: T0 + 9 }));
    expect([spaces.current?.step, spaces.current?.at]).toEqual([7, T0 + 9]);
  });

  it.each(['before', 'after'])('have the relation vectors that were read %s those of entities', (order) => {
    const spaces = new Spaces(10);
    const relate = () => {
      spaces.relate(relationVector('likes', [0, 3], { space: 'b' }));
      spaces.relate(relationVector('likes', [0, 1]));
      spaces.relate(relationVector('likes', [0, 2], { inverse: true }));
      spaces.relate(relationVector('likes', [0, 4]));
    };
    if (order === 'before') relate();
    spaces.embed(tweet(1), embedding([1, 0]));
    spaces.embed(tweet(2), embedding([1, 0], { space: 'b' }));
    if (order === 'after') relate();
    const of = (space = spaces.current) =>
      Object.fromEntries([...(space?.relations ?? [])].map(([key, { vector }]) => [key, [...vector]]));
    expect(of()).toEqual({ 'relation:likes': [0, 4], 'relation:likes/inverse': [0, 2] });
    spaces.embed(tweet(1), embedding(null));
    expect([spaces.current?.space, of()]).toEqual(['b', { 'relation:likes': [0, 3] }]);
  });

  it('have their relation vectors, as many spaces as there may be at once', () => {
    const spaces = new Spaces(10);
    const names = ['a', 'b', 'c', 'd'];
    for (const [i, space] of names.entries()) {
      // Of some spaces the relation vectors are read first, of some the vectors of entities.
      const relate = () => spaces.relate(relationVector('likes', [0, i], { space }));
      if (i % 2 === 0) relate();
      spaces.embed(tweet(i), embedding([1, 0], { space }));
      if (i % 2 === 1) relate();
    }
    expect(spaces.all.map(({ relations }) => relations.get('relation:likes')?.vector[1])).toEqual([
      ...[0, 1, 2, 3],
    ]);
  });

  it('refuse a vector and a relation vector of another length than the space has', () => {
    const spaces = new Spaces(10);
    spaces.embed(tweet(1), embedding([1, 0]));
    expect(() => spaces.embed(tweet(1), embedding([1, 0, 0]))).toThrow(ShapeError);
    expect(spaces.current?.vectorOf(tweet(1))).toEqual(Float32Array.of(1, 0));
    expect(() => spaces.relate(relationVector('likes', [1, 0, 0]))).toThrow(/3 numbers.* 2/);
    expect(() => spaces.relate(relationVector('likes', [1]))).toThrow(ShapeError);
    expect(spaces.current?.relations.size).toBe(0);
  });

  it('have no relation vector of another length that was read before all others', () => {
    const spaces = new Spaces(10);
    spaces.relate(relationVector('likes', [1, 0, 0]));
    spaces.relate(relationVector('retweets', [1, 0]));
    spaces.embed(tweet(1), embedding([1, 0]));
    expect([...spaces.current!.relations.keys()]).toEqual(['relation:retweets']);
  });

  it('withhold a vector of one space alone, whose newest it is, and have no other meanwhile', () => {
    let hidden = false;
    const spaces = new Spaces(
      10,
      () => true,
      1,
      (entity) => hidden && entity === query('jazz'),
    );
    for (const entity of [query('jazz'), tweet(1)]) spaces.embed(entity, embedding([1, 0]));
    spaces.embed(query('jazz'), embedding([2, 0], { space: 'b' }));
    const [a, b] = spaces.all;
    hidden = true;
    spaces.judge(query('jazz'));
    expect([a, b].map((space) => [space?.vectorOf(query('jazz')), space?.erased('query')])).toEqual([
      [undefined, 0],
      [undefined, 1],
    ]);
    expect([a?.left, b?.left]).toEqual([1, 1]);
    expect(() => spaces.embed(query('jazz'), embedding([1], { space: 'b' }))).toThrow(ShapeError);
    hidden = false;
    spaces.judge(query('jazz'));
    expect([a, b].map((space) => space?.vectorOf(query('jazz'))?.[0])).toEqual([undefined, 2]);
    expect(b?.erased('query')).toBe(0);
    // A newer record of another space takes the place of the one that is withheld.
    hidden = true;
    spaces.judge(query('jazz'));
    spaces.embed(query('jazz'), embedding([3, 0]));
    expect([a?.erased('query'), a?.left, spaces.all]).toEqual([1, 2, [a]]);
    hidden = false;
    spaces.judge(query('jazz'));
    expect(a?.vectorOf(query('jazz'))?.[0]).toBe(3);
  });
});
