import { SPOILERS } from '../../fixtures/bad-records.ts';
import type { Dice } from '../dice.ts';

/** A record as it is to be sent. */
export interface LoadRecord {
  /** Its number, from 0; travels in the header `n`. */
  readonly n: number;
  /** Without the prefix. */
  readonly topic: string;
  readonly key: string;
  readonly value: string | Buffer | null;
  /** The code it must be rejected with; absent: it is good. */
  readonly code?: string;
}

/** What a load is made of; shares of all records. */
export interface LoadOptions {
  readonly users: number;
  readonly tweets: number;
  readonly duplicates: number;
  readonly late: number;
  readonly undone: number;
  readonly erasures: number;
  readonly bad: number;
  /** In front of every user's id: loads of two names have no edge in common. */
  readonly name: string;
  /** Others of a type that a user can come to at most; all unless given. Few make a world that is full soon, and then grows no more. */
  readonly degree?: number;
}

export const MIXED: LoadOptions = {
  users: 300,
  tweets: 200,
  duplicates: 0.03,
  late: 0.03,
  undone: 0.08,
  erasures: 0.002,
  bad: 0.02,
  name: '',
};

/** Nothing whose count depends on the order in which partitions are read. */
export const ORDERLESS: LoadOptions = { ...MIXED, erasures: 0 };

/** Of 2024; each event is some milliseconds after the one before. */
const START = 1_704_067_200_000;
const REMEMBERED = 2_000;
const ADS = 40;
const QUERIES = 60;
/** Between those that two users come to. */
const STRIDE = 7_919;
const UNDOES: Readonly<Record<string, readonly string[]>> = {
  like: ['unlike'],
  retweet: ['unretweet'],
  follow: ['unfollow', 'block'],
};

interface Told {
  readonly topic: string;
  readonly key: string;
  readonly event: Readonly<Record<string, string | number>>;
}

/**
 * A stream of events as a social network has them, over all event topics: few busy users, follows and unfollows,
 * engagements, ad clicks, searches, erasures; some come twice, some late, some can't be used.
 */
export class Load {
  readonly #dice: Dice;
  readonly #options: LoadOptions;
  readonly #told: Told[] = [];
  #n = 0;
  #at = START;

  constructor(dice: Dice, options: LoadOptions = MIXED) {
    this.#dice = dice;
    this.#options = options;
  }

  next(): LoadRecord {
    this.#at += this.#dice.between(1, 20);
    const { duplicates, late, undone, erasures, bad } = this.#options;
    let left = this.#dice.next();
    const falls = (share: number) => {
      left -= share;
      return left < 0;
    };
    if (falls(bad)) return this.#bad();
    if (falls(erasures)) return this.#erasure();
    const before = this.#told.length > 0 ? this.#dice.pick(this.#told) : undefined;
    if (before && falls(duplicates)) return this.#record(before);
    if (before && falls(late)) return this.#late(before);
    if (falls(undone)) return this.#undo();
    return this.#new();
  }

  take(count: number): LoadRecord[] {
    return Array.from({ length: count }, () => this.next());
  }

  #record({ topic, key, event }: Told): LoadRecord {
    return { n: this.#n++, topic, key, value: JSON.stringify(event) };
  }

  #tell(told: Told): LoadRecord {
    if (this.#told.length < REMEMBERED) this.#told.push(told);
    else this.#told[this.#dice.below(REMEMBERED)] = told;
    return this.#record(told);
  }

  /** Busy ones are picked far more often. */
  #userNumber(): number {
    return Math.floor(this.#options.users * this.#dice.next() ** 2);
  }

  #user(number = this.#userNumber()): string {
    return `${this.#options.name}${number}`;
  }

  /** The number of another, out of so many, that a user comes to. */
  #other(user: number, count: number): number {
    const { degree } = this.#options;
    if (degree === undefined) return this.#dice.below(count);
    return (user * STRIDE + this.#dice.below(degree)) % count;
  }

  #new(): LoadRecord {
    const number = this.#userNumber();
    const user = this.#user(number);
    const { users, tweets, degree } = this.#options;
    const at = this.#at;
    const dice = this.#dice.next();
    if (dice < 0.45) {
      const action = this.#dice.pick(['like', 'like', 'retweet', 'reply', 'quote', 'mention']);
      const tweetId = `t${this.#other(number, tweets)}`;
      return this.#tell({ topic: 'engagement', key: user, event: { userId: user, tweetId, action, at } });
    }
    if (dice < 0.75) {
      const followedId = this.#user(degree === undefined ? undefined : this.#other(number, users));
      const event = { followerId: user, followedId, action: 'follow', at };
      return this.#tell({ topic: 'follow', key: user, event });
    }
    if (dice < 0.88) {
      const ad = this.#other(number, ADS);
      const event = { userId: user, adId: `a${ad}`, advertiserId: `v${ad % 7}`, at };
      return this.#tell({ topic: 'ad-click', key: user, event });
    }
    const event = { userId: user, query: `query ${this.#other(number, QUERIES)}`, at };
    return this.#tell({ topic: 'search', key: user, event });
  }

  /** The same edge again, from before: an older event of it that was held up. */
  #late(before: Told): LoadRecord {
    const at = Number(before.event['at']) - this.#dice.between(1, 5_000);
    return this.#record({ ...before, event: { ...before.event, at } });
  }

  #undo(): LoadRecord {
    const able = this.#told.filter(({ event }) => UNDOES[event['action'] ?? ''] !== undefined);
    if (able.length === 0) return this.#new();
    const before = this.#dice.pick(able);
    const action = this.#dice.pick(UNDOES[before.event['action'] ?? ''] ?? []);
    return this.#record({ ...before, event: { ...before.event, action, at: this.#at } });
  }

  #erasure(): LoadRecord {
    const entity = this.#dice.chance(0.7)
      ? `user:${this.#user()}`
      : `tweet:t${this.#dice.below(this.#options.tweets)}`;
    return this.#record({ topic: 'erasure', key: entity, event: { entity, at: this.#at } });
  }

  #bad(): LoadRecord {
    for (;;) {
      const { topic, key, event } = this.#dice.pick(GOOD)(this.#user(), this.#at);
      const [code, spoil] = this.#dice.pick(SPOILERS);
      const value = spoil({ ...event }, topic);
      // Not every topic can be spoilt in every way; and the record's own time, which decides what lies in the
      // future, is the time of sending.
      if (value === undefined || code === 'in-the-future') continue;
      return { n: this.#n++, topic, key, value, code };
    }
  }
}

/** A good event of each topic, to be spoilt. */
const GOOD: readonly ((user: string, at: number) => Told)[] = [
  (key, at) => ({ topic: 'engagement', key, event: { userId: key, tweetId: 'spoilt', action: 'like', at } }),
  (key, at) => ({
    topic: 'follow',
    key,
    event: { followerId: key, followedId: 'spoilt', action: 'follow', at },
  }),
  (key, at) => ({
    topic: 'ad-click',
    key,
    event: { userId: key, adId: 'spoilt', advertiserId: 'spoilt', at },
  }),
  (key, at) => ({ topic: 'search', key, event: { userId: key, query: 'spoilt', at } }),
  (user, at) => ({ topic: 'erasure', key: `user:${user}`, event: { entity: `user:${user}-spoilt`, at } }),
];
