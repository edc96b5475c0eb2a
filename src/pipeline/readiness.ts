import { reasonOf } from '../errors.ts';
import type { Parts } from './parts.ts';
import type { Phase } from './progress.ts';
import type { UpdaterOptions } from './updater-options.ts';

/** The log answers a reader's lease within this time, or is taken for out of reach. */
const ANSWER_MS = 1_000;

/** Why nobody should rely on an updater now, a phrase each; none when it is ready. */
export async function unready(
  phase: Phase,
  { source, pace }: Pick<UpdaterOptions, 'source' | 'pace'>,
  parts: Parts | undefined,
): Promise<string[]> {
  if (phase !== 'running' || parts === undefined) return [`it is ${phase}`];
  const { publisher } = parts;
  const reasons: string[] = [];
  if (publisher.trouble !== undefined) reasons.push(`vectors are not acknowledged: ${publisher.trouble}`);
  if (publisher.size >= pace.maxOutbox) {
    reasons.push(
      `reading pauses: ${publisher.size} vectors wait to be acknowledged, publish.maxOutbox is ${pace.maxOutbox}`,
    );
  }
  const late = Promise.withResolvers<string>();
  const timer = setTimeout(() => late.resolve('the brokers do not answer the group'), ANSWER_MS);
  const answer = await Promise.race([source.confirm().then(() => undefined, reasonOf), late.promise]);
  clearTimeout(timer);
  if (answer !== undefined) reasons.push(answer);
  return reasons;
}
