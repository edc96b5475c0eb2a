import type { FeedProgress } from '../../adapters/event-file/feeder.ts';
import { duration } from '../duration.ts';
import { count } from '../progress-line.ts';

/** What is known of the whole; without either there is no telling how much is left. */
export interface FeedTotal {
  /** Size of the file as it lies there. */
  readonly bytes: number | undefined;
  /** Messages after which the feeding stops. */
  readonly messages: number | undefined;
}

/** The feeding's progress in a few words. elapsedMs: since its start. */
export function describeFeed(progress: FeedProgress, total: FeedTotal, elapsedMs: number): string {
  const { sent, bad } = progress;
  const share = shareOf(progress, total);
  const parts = [`${count(sent)} sent`, `${count(perSecond(sent, elapsedMs))} events/s`];
  if (bad > 0) parts.push(`${count(bad)} bad`);
  if (share !== undefined) parts.push(`${Math.floor(share * 100)} %`);
  if (share !== undefined && share > 0) {
    parts.push(`${duration((elapsedMs * (1 - share)) / share)} to go`);
  }
  return parts.join(', ');
}

/** The result in a line. */
export function describeFed(progress: FeedProgress, topic: string, elapsedMs: number): string {
  const { sent, bad } = progress;
  return (
    `${count(sent)} events sent to ${topic} in ${duration(elapsedMs)} ` +
    `(${count(perSecond(sent, elapsedMs))}/s); ${count(bad)} bad line${bad === 1 ? '' : 's'}`
  );
}

function shareOf({ sent, bytesRead }: FeedProgress, total: FeedTotal): number | undefined {
  const shares: number[] = [];
  if (total.bytes !== undefined && total.bytes > 0) shares.push(bytesRead / total.bytes);
  if (total.messages !== undefined && total.messages > 0) shares.push(sent / total.messages);
  return shares.length === 0 ? undefined : Math.min(1, Math.max(...shares));
}

function perSecond(sent: number, elapsedMs: number): number {
  return elapsedMs > 0 ? (sent * 1000) / elapsedMs : 0;
}
