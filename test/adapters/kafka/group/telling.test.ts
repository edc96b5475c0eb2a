import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Telling } from '../../../../src/adapters/kafka/group/telling.ts';

/** A group that takes what it is told, is not there, or fails. */
class Group {
  answers: ('takes' | 'absent' | 'fails' | 'hangs')[] = [];
  readonly told: number[] = [];
  readonly asked: number[] = [];

  readonly send = async ({ offsets }: { offsets: Readonly<Record<string, Record<number, number>>> }) => {
    const offset = offsets['t']?.[0] ?? -1;
    this.asked.push(offset);
    const answer = this.answers.shift() ?? 'takes';
    if (answer === 'fails') throw new Error('no coordinator');
    if (answer === 'hangs') await new Promise(() => undefined);
    if (answer === 'takes') this.told.push(offset);
    return answer === 'takes';
  };
}

const at = (offset: number) => ({ t: { 0: offset } });
let group: Group;
let telling: Telling;
const lines: string[] = [];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] });
  group = new Group();
  lines.length = 0;
  telling = new Telling(group.send, (_, line) => lines.push(line));
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a group is told', () => {
  test('at once, and once', async () => {
    await telling.tell(at(1), undefined);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(group.asked).toEqual([1]);
  });

  test.each(['absent', 'fails'] as const)('again where it %s, until it takes it', async (answer) => {
    group.answers = [answer, answer];
    await telling.tell(at(1), undefined);
    expect(group.told).toEqual([]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect([group.asked, group.told]).toEqual([[1, 1, 1], [1]]);
    expect(lines.length).toBe(answer === 'fails' ? 2 : 0);
  });

  test('the latest only, and nothing older after it', async () => {
    group.answers = ['fails', 'fails'];
    await Promise.all([telling.tell(at(1), undefined), telling.tell(at(2), undefined)]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(group.told).toEqual([2]);
  });

  test('a last time at the end, and not after', async () => {
    group.answers = ['fails', 'takes'];
    await telling.tell(at(3), undefined);
    await telling.end();
    expect(group.told).toEqual([3]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(group.asked).toEqual([3, 3]);
  });

  test('and whoever ends waits no longer than a moment for it', async () => {
    vi.useRealTimers();
    group.answers = ['hangs'];
    void telling.tell(at(1), undefined);
    await telling.end();
    expect([group.asked, group.told]).toEqual([[1], []]);
  });
});
