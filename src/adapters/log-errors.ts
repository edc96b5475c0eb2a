import { FatalError } from '../errors.ts';

/** The error of topics that aren't there, with the way out. */
export function topicsMissing(missing: readonly string[], address: string): FatalError {
  const message = `topics missing at ${address}: ${missing.join(', ')}; create them with: twhin topics apply, or start with: twhin run --create-topics`;
  return new FatalError('topics-missing', message);
}
