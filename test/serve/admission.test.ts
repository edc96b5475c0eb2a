import { describe, expect, it } from 'vitest';
import { Admission, type Admitted } from '../../src/serve/admission.ts';

/** A clock that is moved by hand, and what became of each request. */
function begun() {
  let now = 0;
  const admission = new Admission(() => now);
  const turns: Admitted[] = [];
  const refused: string[] = [];
  const enter = async (kind: string, end: number) => {
    try {
      turns.push(await admission.enter(kind, end));
    } catch (error) {
      refused.push(String(Reflect.get(Object(error), 'code')));
    }
  };
  return {
    admission,
    turns,
    refused,
    enter,
    pass: (ms: number) => {
      now += ms;
    },
    /** Ends the turns of so many, in their order. */
    leave: async (count: number, crowded = false) => {
      for (const turn of turns.splice(0, count)) turn.leave(crowded);
      await new Promise((resolve) => setImmediate(resolve));
    },
    burst: async (count: number, endAfter: number, kind = 'list') => {
      for (let i = 0; i < count; i++) void enter(kind, now + endAfter);
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

describe('admission', () => {
  it('refuses at once what would come too late, by how long requests took', async () => {
    const { burst, turns, refused, leave, pass, admission } = begun();
    await burst(1, 300);
    pass(100);
    await leave(1);
    // One took 100 ms: 16 at a time are answered after 100 ms, as many again after 200, and the last after 300.
    await burst(100, 300);
    expect([turns.length, refused.length, admission.size]).toEqual([16, 100 - 49, 49]);
    expect(new Set(refused)).toEqual(new Set(['busy']));
  });

  it('refuses what waited in vain when its turn comes', async () => {
    const { burst, turns, refused, leave, pass } = begun();
    await burst(20, 100);
    expect([turns.length, refused.length]).toEqual([16, 0]);
    pass(95);
    await leave(16);
    // Such requests took 95 ms, and 5 are left.
    expect([turns.length, refused.length]).toEqual([0, 4]);
  });

  it('always tries four at a time, however long such requests took', async () => {
    const { burst, turns, refused, leave, pass } = begun();
    await burst(1, 300);
    pass(5_000);
    await leave(1);
    await burst(9, 300);
    expect([turns.length, refused.length]).toEqual([4, 5]);
  });

  it('knows requests of one kind from those of another', async () => {
    const { burst, turns, refused, leave, pass } = begun();
    await burst(1, 300, 'rank');
    pass(5_000);
    await leave(1);
    await burst(9, 300);
    await burst(1, 300, 'rank');
    expect([turns.length, refused.length]).toEqual([9, 1]);
  });

  it('has fewer in hand once shards are busy, halved once for all that were, and more again with each answer', async () => {
    const { burst, turns, leave, pass } = begun();
    await burst(16, 1e6);
    pass(10);
    await leave(15, true);
    await burst(40, 1e6);
    // The one that is left counts, too.
    expect(turns.length).toBe(8);
    await leave(1, true);
    expect(turns.length).toBe(8);
    for (let i = 0; i < 24; i++) {
      pass(10);
      await leave(1);
    }
    expect(turns.length).toBeGreaterThan(8);
    expect(turns.length).toBeLessThan(12);
  });

  it('before shards were busy, has one more in hand for each answer, and 64 at most', async () => {
    const { burst, turns, leave, pass } = begun();
    await burst(200, 1e6);
    for (const [left, inHand] of [
      [16, 32],
      [32, 64],
      [64, 64],
    ] as const) {
      pass(1);
      await leave(left);
      expect(turns.length).toBe(inHand);
    }
  });

  it('has no more in hand while requests take a third of their time', async () => {
    for (const [ms, inHand] of [
      [100, 16],
      [99, 24],
    ] as const) {
      const { burst, turns, leave, pass } = begun();
      await burst(40, 300);
      pass(ms);
      await leave(8);
      expect(turns.length).toBe(inHand);
    }
  });

  it('lets 256 wait, and no more', async () => {
    const { burst, turns, refused } = begun();
    await burst(16 + 256 + 3, 1e6);
    expect([turns.length, refused.length]).toEqual([16, 3]);
  });
});
