import { inject, onTestFinished } from 'vitest';
import { Twhin } from './twhin.ts';

/** Each user follows the next, a millisecond later. */
export const follows = (from: number, count: number, since = 1_700_000_000_000) =>
  Array.from({ length: count }, (_, i) => {
    const n = from + i;
    return { followerId: `u${n}`, followedId: `u${n + 1}`, action: 'follow', at: since + n };
  });

/** A deployment on the suite's broker, unless others are given, for one test: it is removed once the test is over. */
export async function deployed(config?: string, brokers = inject('brokers')): Promise<Twhin> {
  const twhin = await Twhin.create(brokers, config);
  onTestFinished(() => twhin.remove());
  return twhin;
}
