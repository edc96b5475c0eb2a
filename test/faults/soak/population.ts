import type { Dice } from '../dice.ts';
import type { LoadRecord } from '../load/load.ts';

/** A world that does not grow: who there is, and every edge that can ever be between them. */
export interface PopulationSize {
  readonly users: number;
  readonly tweets: number;
  readonly ads: number;
  readonly queries: number;
  /** Users that each user may follow. */
  readonly follows: number;
  /** Tweets that each user may engage with. */
  readonly engagements: number;
  readonly clicks: number;
  readonly searches: number;
}

export const POPULATION: PopulationSize = {
  ...{ users: 10_000, tweets: 5_000, ads: 100, queries: 500 },
  ...{ follows: 12, engagements: 6, clicks: 1, searches: 1 },
};

const ADVERTISERS = 20;
/** A pick of a live edge that can be undone undoes it so often; of one that is not live, makes it always. */
const UNDONE = 0.3;
/** Share that is not live at any time, then: as many leave it as come to it. */
const GONE = UNDONE / (1 + UNDONE);
const REPEATED = 0.02;
const BROKEN = 0.005;
const REMEMBERED = 500;
/** Between users' own edges, so that neighbours are not always the same. */
const STRIDE = 7_919;

interface Told {
  readonly topic: string;
  readonly key: string;
  readonly event: Readonly<Record<string, string | number>>;
}

const UNDO: Readonly<Record<string, string>> = { like: 'unlike', retweet: 'unretweet' };
const ACTIONS = ['like', 'like', 'retweet', 'reply', 'quote', 'mention'] as const;

function actionAt(place: number): string {
  return ACTIONS[place % ACTIONS.length] ?? 'like';
}

/**
 * Events of a fixed population: `fill` names every entity and every edge once, `next` goes on among those for ever:
 * follows, unfollows, likes, unlikes, and edges that are said again with a later time. Some come twice, some are broken.
 */
export class Population {
  readonly #dice: Dice;
  readonly #size: PopulationSize;
  readonly #now: () => number;
  /** By user and place in its list: whether the edge is there now. */
  readonly #follows: Uint8Array;
  readonly #engagements: Uint8Array;
  readonly #told: Told[] = [];
  #n = 0;
  #at = 0;
  #filling = false;

  /** now: epoch ms. */
  constructor(dice: Dice, size: PopulationSize, now: () => number) {
    this.#dice = dice;
    this.#size = size;
    this.#now = now;
    this.#follows = new Uint8Array(size.users * size.follows);
    this.#engagements = new Uint8Array(size.users * size.engagements);
  }

  /** Every edge once; then of those that can be undone as many undone as there are at any time later. */
  fill(): LoadRecord[] {
    const { users, follows, engagements, clicks, searches } = this.#size;
    const records: LoadRecord[] = [];
    const all = (count: number, make: (user: number, place: number) => Told | undefined) => {
      for (let user = 0; user < users; user++) {
        for (let place = 0; place < count; place++) {
          const told = make(user, place);
          if (told) records.push(this.#record(told));
        }
      }
    };
    // All of it in the past: made at once, their times would run ahead of the clock.
    this.#at = this.#now() - 2 * users * (follows + engagements + clicks + searches);
    this.#filling = true;
    all(follows, (user, place) => this.#follow(user, place, true));
    all(engagements, (user, place) => this.#engage(user, place, true));
    all(clicks, (user, place) => this.#click(user, place));
    all(searches, (user, place) => this.#search(user, place));
    all(follows, (user, place) => (this.#dice.chance(GONE) ? this.#follow(user, place, false) : undefined));
    all(engagements, (user, place) =>
      UNDO[actionAt(place)] !== undefined && this.#dice.chance(GONE)
        ? this.#engage(user, place, false)
        : undefined,
    );
    this.#filling = false;
    return records;
  }

  next(): LoadRecord {
    const dice = this.#dice.next();
    const user = this.#dice.below(this.#size.users);
    if (dice < BROKEN) {
      return { n: this.#n++, topic: 'follow', key: `${user}`, value: '{"followerId":', code: 'not-json' };
    }
    if (dice < BROKEN + REPEATED && this.#told.length > 0) return this.#record(this.#dice.pick(this.#told));
    const told = this.#new(user);
    if (this.#told.length < REMEMBERED) this.#told.push(told);
    else this.#told[this.#dice.below(REMEMBERED)] = told;
    return this.#record(told);
  }

  take(count: number): LoadRecord[] {
    return Array.from({ length: count }, () => this.next());
  }

  #new(user: number): Told {
    const { follows, engagements, clicks, searches } = this.#size;
    const kind = this.#dice.next();
    if (kind < 0.4) return this.#follow(user, this.#dice.below(follows));
    if (kind < 0.8) return this.#engage(user, this.#dice.below(engagements));
    if (kind < 0.9) return this.#click(user, this.#dice.below(clicks));
    return this.#search(user, this.#dice.below(searches));
  }

  #follow(
    user: number,
    place: number,
    live = this.#turns(this.#follows, user * this.#size.follows + place),
  ): Told {
    const { users, follows } = this.#size;
    this.#follows[user * follows + place] = Number(live);
    const other = (user + 1 + ((place * STRIDE + user) % (users - 1))) % users;
    const action = live ? 'follow' : 'unfollow';
    const event = { followerId: `${user}`, followedId: `${other}`, action, at: this.#time() };
    return { topic: 'follow', key: `${user}`, event };
  }

  #engage(
    user: number,
    place: number,
    live = this.#turns(this.#engagements, user * this.#size.engagements + place),
  ): Told {
    const { tweets, engagements } = this.#size;
    const does = actionAt(place);
    const action = live ? does : (UNDO[does] ?? does);
    this.#engagements[user * engagements + place] = Number(live);
    const tweetId = `t${(user * 31 + place * STRIDE) % tweets}`;
    const event = { userId: `${user}`, tweetId, action, at: this.#time() };
    return { topic: 'engagement', key: `${user}`, event };
  }

  #click(user: number, place: number): Told {
    const ad = (user * 13 + place * STRIDE) % this.#size.ads;
    const advertiserId = `v${ad % ADVERTISERS}`;
    const event = { userId: `${user}`, adId: `a${ad}`, advertiserId, at: this.#time() };
    return { topic: 'ad-click', key: `${user}`, event };
  }

  #search(user: number, place: number): Told {
    const query = `query ${(user * 17 + place * STRIDE) % this.#size.queries}`;
    const event = { userId: `${user}`, query, at: this.#time() };
    return { topic: 'search', key: `${user}`, event };
  }

  /** Whether an edge that is picked is there afterwards. */
  #turns(live: Uint8Array, index: number): boolean {
    return live[index] !== 1 || !this.#dice.chance(UNDONE);
  }

  /** Of two events the later has the later time, whatever the clock. */
  #time(): number {
    this.#at = this.#filling ? this.#at + 1 : Math.max(this.#now(), this.#at + 1);
    return this.#at;
  }

  #record({ topic, key, event }: Told): LoadRecord {
    return { n: this.#n++, topic, key, value: JSON.stringify(event) };
  }
}
