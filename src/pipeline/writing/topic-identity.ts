import { FatalError, RetryableError } from '../../errors/errors.ts';
import type { FollowedLog } from '../ports.ts';
import type { Writer } from './writer.ts';

const LOOK_MS = 10_000;

/** @throws FatalError `topic-remade` when a topic has another id than the known one. remedy: what to do about the topic. */
export function refuseRecreated(
  known: Readonly<Record<string, string>>,
  now: Readonly<Record<string, string>>,
  remedy: (topic: string) => string,
): void {
  for (const [topic, id] of Object.entries(now)) {
    const before = known[topic];
    if (before === undefined || before === id) continue;
    const what = `${topic} was deleted and recreated: its id was ${before} and is ${id}, so its offsets mean other records.`;
    throw new FatalError('topic-remade', `${what} ${remedy(topic)}`);
  }
}

/** The ids of the topics, known and new. @throws FatalError when a topic is not the topic that was read before. */
export function sameTopics(
  known: Readonly<Record<string, string>>,
  now: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  refuseRecreated(
    known,
    now,
    (topic) =>
      `To keep what was learned and read the new topic from its start: twhin run --reread ${topic}. ` +
      'To learn only from what the topics hold now: twhin replay --into NAME, then twhin promote NAME.',
  );
  return { ...known, ...now };
}

export interface TopicWatchOptions {
  readonly eventLog: Pick<FollowedLog, 'topicIds'>;
  readonly topics: readonly string[];
  /** Topics that are written. */
  readonly written: readonly string[];
  /** Its commits name the topics that are found. */
  readonly writer: Writer;
  clock(): number;
  /** Told of a topic that was deleted and made again, and of whatever else is more than brokers out of reach. */
  failed(error: Error): void;
}

/**
 * Checks every ten seconds that the topics are still those that are read, and which those are that are written. A topic that is deleted, made again and filled
 * beyond the position of a running reader goes on at the next offset; nothing else says that the records before were
 * never read.
 */
export class TopicWatch {
  readonly #options: TopicWatchOptions;
  #last: number;
  #looking = false;
  /** The ids of the written topics as they were last looked at. */
  written: Readonly<Record<string, string>> = {};

  constructor(options: TopicWatchOptions) {
    this.#options = options;
    this.#last = options.clock();
  }

  /** Begins a check when one is due. */
  look(): void {
    const { eventLog, topics, written, writer, clock, failed } = this.#options;
    if (this.#looking || clock() - this.#last < LOOK_MS) return;
    this.#looking = true;
    eventLog
      .topicIds([...topics, ...written])
      .then((all) => {
        const idsOf = (names: readonly string[]) =>
          Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name)));
        writer.topicIds = sameTopics(writer.topicIds, idsOf(topics));
        this.written = idsOf(written);
      })
      .catch((error: Error) => {
        if (!(error instanceof RetryableError)) failed(error);
      })
      .finally(() => {
        this.#last = clock();
        this.#looking = false;
      });
  }
}
