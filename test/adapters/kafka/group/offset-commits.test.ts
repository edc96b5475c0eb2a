import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { OffsetCommits } from '../../../../src/adapters/kafka/group/leadership.ts';
import type { Offsets } from '../../../../src/pipeline/ports.ts';

/** A group that accepts offsets, is absent, or fails. */
class Group {
  answers: ('takes' | 'absent' | 'fails' | 'hangs')[] = [];
  readonly taken: number[] = [];
  readonly asked: number[] = [];

  readonly send = async (offsets: Offsets) => {
    const offset = offsets['t']?.[0] ?? -1;
    this.asked.push(offset);
    const answer = this.answers.shift() ?? 'takes';
    if (answer === 'fails') throw new Error('no coordinator');
    if (answer === 'hangs') await new Promise(() => undefined);
    if (answer === 'takes') this.taken.push(offset);
    return answer === 'takes';
  };
}

const at = (offset: number) => ({ t: { 0: offset } });
let group: Group;
let commits: OffsetCommits;
const lines: string[] = [];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] });
  group = new Group();
  lines.length = 0;
  commits = new OffsetCommits(group.send, (_, line) => lines.push(line));
});
afterEach(() => {
  vi.useRealTimers();
});

describe('offsets are committed to the group', () => {
  test('at once, and once', async () => {
    await commits.put(at(1), undefined);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(group.asked).toEqual([1]);
  });

  test.each(['absent', 'fails'] as const)(
    'again while the group %s, until the group has them',
    async (answer) => {
      group.answers = [answer, answer];
      await commits.put(at(1), undefined);
      expect(group.taken).toEqual([]);
      await vi.advanceTimersByTimeAsync(10_000);
      expect([group.asked, group.taken]).toEqual([[1, 1, 1], [1]]);
      expect(lines.length).toBe(answer === 'fails' ? 2 : 0);
    },
  );

  test('only the latest, and nothing older afterwards', async () => {
    group.answers = ['fails', 'fails'];
    await Promise.all([commits.put(at(1), undefined), commits.put(at(2), undefined)]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(group.taken).toEqual([2]);
  });

  test('a last time at the end, and not after the end', async () => {
    group.answers = ['fails', 'takes'];
    await commits.put(at(3), undefined);
    await commits.end();
    expect(group.taken).toEqual([3]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(group.asked).toEqual([3, 3]);
  });

  test('and the end waits only a moment for the last attempt', async () => {
    vi.useRealTimers();
    group.answers = ['hangs'];
    void commits.put(at(1), undefined);
    await commits.end();
    expect([group.asked, group.taken]).toEqual([[1], []]);
  });
});
