import { inject, onTestFinished } from 'vitest';
import { Twhin } from './twhin.ts';

/** A deployment on the suite's broker, unless others are given, for one test: it is removed once the test is over. */
export async function deployed(config?: string, brokers = inject('brokers')): Promise<Twhin> {
  const twhin = await Twhin.create(brokers, config);
  onTestFinished(() => twhin.remove());
  return twhin;
}
