import { reasonOf } from '../errors/errors.ts';
import { LETTERS } from './delivery.ts';
import type { Phase } from './lifecycle.ts';
import type { LoadedPipeline } from './loaded-pipeline.ts';
import type { UpdaterOptions } from './updater-options.ts';

/** The brokers count as out of reach when leadership is not confirmed within this time. */
const ANSWER_MS = 1_000;
/** A commit that takes longer hangs. */
const WRITE_MS = 30_000;

/** Tells why an updater can't be relied on, a phrase for each reason; none when it is ready. */
export function readinessOf({
  leadership,
  tuning: { maxOutbox, readyLagMs },
  clock,
}: Pick<UpdaterOptions, 'leadership' | 'tuning' | 'clock'>) {
  /** The question to the group that is not answered yet: one for all callers, since brokers can be away for hours. */
  let asked: Promise<string | undefined> | undefined;
  /** undefined: this process is its group's one leader. */
  const answered = async (): Promise<string | undefined> => {
    asked ??= leadership
      .confirm()
      .then(() => undefined, reasonOf)
      .finally(() => {
        asked = undefined;
      });
    const late = Promise.withResolvers<string>();
    const timer = setTimeout(() => late.resolve('the brokers do not answer the group'), ANSWER_MS);
    const answer = await Promise.race([asked, late.promise]);
    clearTimeout(timer);
    return answer;
  };
  return async (phase: Phase, pipeline: LoadedPipeline | undefined): Promise<string[]> => {
    if (pipeline === undefined) return [`it is ${phase}`];
    const { publisher, committer, lag } = pipeline.parts;
    const { troubles } = publisher.delivery;
    const reasons = [...troubles.values()];
    const { asked: since = clock(), waits } = committer.writing ?? {};
    const forMs = clock() - since;
    if (forMs > WRITE_MS || (waits === LETTERS && troubles.has(LETTERS)))
      reasons.push(`a commit is not through for ${inSeconds(forMs)}: it waits for ${waits}`);
    if (phase !== 'running') return [`it is ${phase}`, ...reasons];
    if (!pipeline.isTrained)
      reasons.push('it trains what its journal holds: vectors are as of its checkpoint');
    if (publisher.outbox.size >= maxOutbox) {
      reasons.push(
        `reading pauses: ${publisher.outbox.size} vectors wait to be acknowledged, publish.maxOutbox is ${maxOutbox}`,
      );
    }
    const [behind] = lag.byPartition().sort((a, b) => (b.seconds ?? 0) - (a.seconds ?? 0));
    if (behind && (behind.seconds ?? 0) * 1000 > readyLagMs) {
      const { topic, partition, records, seconds = 0 } = behind;
      reasons.push(
        `${topic} ${partition} is ${inSeconds(seconds * 1000)} behind (${records} records), limits.readyLagMs is ${readyLagMs}`,
      );
    }
    const answer = await answered();
    if (answer !== undefined) reasons.push(answer);
    return reasons;
  };
}

function inSeconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
