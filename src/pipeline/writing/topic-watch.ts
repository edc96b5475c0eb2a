import { RetryableError } from '../../errors/errors.ts';
import type { Source } from '../ports.ts';
import { sameTopics } from './same-topics.ts';
import type { Writer } from './writer.ts';

const LOOK_MS = 10_000;

export interface TopicWatchParts {
  readonly source: Source;
  /** Its commits tell of the topics that are found. */
  readonly writer: Writer;
  readonly clock: () => number;
  /** Told of a topic that was made again, and of whatever else is not only the brokers' being away. */
  readonly failed: (error: Error) => void;
}

/**
 * Looks now and then whether the topics are still those that are read. One made again under a running reader and filled
 * beyond where that stands goes on at the next offset, and nothing else says that what came before was never read.
 */
export class TopicWatch {
  readonly #parts: TopicWatchParts;
  #last: number;
  #looking = false;

  constructor(parts: TopicWatchParts) {
    this.#parts = parts;
    this.#last = parts.clock();
  }

  /** Begins a look when one is due. */
  look(): void {
    const { source, writer, clock, failed } = this.#parts;
    if (this.#looking || clock() - this.#last < LOOK_MS) return;
    this.#looking = true;
    source
      .topicIds()
      .then((ids) => {
        writer.topicIds = sameTopics(writer.topicIds, ids);
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
