import type { Message } from '../../src/pipeline/ports.ts';
import { Random } from '../../src/sampling/random.ts';

const ACTIONS = ['like', 'like', 'like', 'retweet', 'reply'] as const;
const AT = Date.UTC(2026, 0);

/** Engagements of a world that grows as it goes: as many new entities an event from the first to the last. */
export class GrowingWorld {
  readonly #newPerEvent: number;
  readonly #random = Random.seeded(1);
  #events = 0;

  /** entities: half users, half tweets, once so many events are told. */
  constructor(size: { events: number; entities: number }) {
    this.#newPerEvent = size.entities / size.events / 2;
  }

  /** The next engagements, for this topic. */
  next(count: number, topic: string): Message[] {
    return Array.from({ length: count }, () => {
      const known = 1 + Math.floor(this.#events * this.#newPerEvent);
      const isNew = Math.floor((this.#events + 1) * this.#newPerEvent) + 1 > known;
      // Few users say much; what is engaged with is mostly new.
      const user = isNew ? known : Math.floor(known * this.#random.uniform() ** 2);
      const tweet = isNew ? known : known - 1 - Math.floor(known * this.#random.uniform() ** 3);
      const userId = `${1_000_000_000 + user}`;
      const tweetId = `${1_800_000_000_000_000_000n + BigInt(tweet)}`;
      const action = ACTIONS[this.#random.below(ACTIONS.length)]!;
      const value = JSON.stringify({ userId, tweetId, action, at: AT + this.#events++ });
      return { topic, key: userId, value: Buffer.from(value), headers: {} };
    });
  }
}
