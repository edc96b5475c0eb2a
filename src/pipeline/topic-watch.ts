import { RetryableError } from '../errors.ts';
import type { Source } from './ports.ts';
import { sameTopics } from './take-over.ts';
import type { Writer } from './writer.ts';

const LOOK_MS = 10_000;

/**
 * Looks now and then whether the topics are still those that are read. One made again under a running reader and filled
 * beyond where that stands goes on at the next offset, and nothing else says that what came before was never read.
 */
export class TopicWatch {
  readonly #source: Source;
  readonly #clock: () => number;
  readonly #fail: (error: Error) => void;
  #last: number;
  #looking = false;

  /** fail: told of a topic that was made again, and of whatever else is not only the brokers' being away. */
  constructor(source: Source, clock: () => number, fail: (error: Error) => void) {
    this.#source = source;
    this.#clock = clock;
    this.#fail = fail;
    this.#last = clock();
  }

  /** Begins a look when one is due; the writer's commits tell of the topics that it finds. */
  look(writer: Writer): void {
    if (this.#looking || this.#clock() - this.#last < LOOK_MS) return;
    this.#looking = true;
    this.#source
      .topicIds()
      .then((ids) => {
        writer.topicIds = sameTopics(writer.topicIds, ids);
      })
      .catch((error: Error) => {
        if (!(error instanceof RetryableError)) this.#fail(error);
      })
      .finally(() => {
        this.#last = this.#clock();
        this.#looking = false;
      });
  }
}
