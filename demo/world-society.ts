import { type Random, Weighted } from './world-random.ts';

/** Share of a person's actions in the person's own communities; the rest goes to any community. */
const LOYALTY = 0.85;
/** Share of people with a second community, and the share of their own-community actions that go to the second. */
const SECOND_SHARE = 0.4;
const SECOND_ACTIONS = 0.3;
const ADS_PER_ADVERTISER = 5;
/** Number of live tweets of a community. */
const LIVE_TWEETS = 12;
const SUBJECTS = (
  'jazz cycling chess baking football astronomy gardening cinema photography climbing sailing fashion ' +
  'politics poetry robotics history travel coffee comics running painting fishing birding dance theatre ' +
  'science gaming cooking wine opera tennis skiing surfing physics medicine economics design pottery ' +
  'knitting archaeology'
).split(' ');
const ASPECTS = [
  'news',
  'for beginners',
  'near me',
  'events today',
  'podcast',
  'best of the year',
  'history of',
  'tickets',
];

export interface Person {
  readonly id: string;
  /** The planted community, which the vectors should show. */
  readonly home: number;
  /** A neighbouring community that the person also belongs to. */
  readonly second: number | undefined;
  readonly followed: Set<Person>;
  /** Newest likes and retweets that can still be undone. */
  readonly liked: string[];
  readonly retweeted: string[];
  erased: boolean;
}

export interface Ad {
  readonly id: string;
  readonly advertiser: string;
}

/** People in overlapping communities, ads, queries, and the live tweets. */
export class Society {
  readonly people: readonly Person[];
  readonly names: readonly string[];
  /** Community of every tweet so far. */
  readonly tweets = new Map<string, number>();
  /** Community of every ad. */
  readonly ads = new Map<string, number>();
  readonly #random: Random;
  readonly #members: readonly Person[][];
  readonly #activity: Weighted;
  readonly #fame: readonly Weighted[];
  readonly #freshness = Weighted.zipf(LIVE_TWEETS, 0.6, 1);
  readonly #ads: readonly Ad[][];
  readonly #live: readonly string[][];

  constructor(random: Random, people: number, communities: number) {
    this.#random = random;
    this.names = Array.from({ length: communities }, (_, c) => {
      const subject = SUBJECTS[c % SUBJECTS.length] ?? 'community';
      return c < SUBJECTS.length ? subject : `${subject} ${Math.floor(c / SUBJECTS.length) + 1}`;
    });
    this.#members = this.names.map(() => []);
    this.people = Array.from({ length: people }, (_, rank) => {
      // Every community gets two members first, so that each member has a neighbour.
      const home = rank < 2 * communities ? rank % communities : random.below(communities);
      const second = random.chance(SECOND_SHARE) ? (home + 1 + random.below(2)) % communities : undefined;
      const id = String(1000 + rank);
      const person = {
        id,
        home,
        second,
        followed: new Set<Person>(),
        liked: [],
        retweeted: [],
        erased: false,
      };
      this.#members[home]?.push(person);
      return person;
    });
    this.#activity = Weighted.zipf(people, 0.7, 10);
    this.#fame = this.#members.map((members) => Weighted.zipf(members.length, 0.6, 3));
    const ads = Math.max(2 * communities, Math.round(people / 20));
    this.#ads = this.names.map(() => []);
    for (let ad = 0; ad < ads; ad++) {
      const advertiser = `brand-${Math.floor(ad / ADS_PER_ADVERTISER) + 1}`;
      const id = `ad-${ad + 1}`;
      this.#ads[ad % communities]?.push({ id, advertiser });
      this.ads.set(id, ad % communities);
    }
    this.#live = this.names.map(() => []);
    for (let c = 0; c < communities; c++) while (this.#bear(c).length < LIVE_TWEETS);
  }

  /** Draws a person; active people more often. */
  actor(): Person {
    for (;;) {
      const person = this.people[this.#activity.draw(this.#random)];
      if (person !== undefined && !person.erased) return person;
    }
  }

  /** Draws the community that an action of this person goes to. */
  interest(person: Person): number {
    if (!this.#random.chance(LOYALTY)) return this.#random.below(this.names.length);
    if (person.second !== undefined && this.#random.chance(SECOND_ACTIONS)) return person.second;
    return person.home;
  }

  /** Draws a member to follow; famous members more often. undefined when a few draws found nobody new. */
  stranger(person: Person, community: number): Person | undefined {
    const members = this.#members[community] ?? [];
    for (let tries = 0; tries < 6; tries++) {
      const other = members[this.#fame[community]?.draw(this.#random) ?? 0];
      if (other === undefined || other === person || other.erased) continue;
      if (!person.followed.has(other)) return other;
    }
    return undefined;
  }

  /** Draws a live tweet of a community; young tweets more often. Some draws add a new tweet and drop the oldest. */
  tweet(community: number): string {
    const live = this.#random.chance(0.1) ? this.#bear(community) : (this.#live[community] ?? []);
    return live.at(-1 - this.#freshness.draw(this.#random)) ?? this.#random.pick(live);
  }

  ad(community: number): Ad {
    return this.#random.pick(this.#ads[community] ?? []);
  }

  /** A query as typed: case and spaces vary without a meaning. */
  query(community: number): string {
    const text = `${this.names[community]} ${this.#random.pick(ASPECTS)}`;
    if (this.#random.chance(0.1)) return ` ${text.toUpperCase()} `;
    return this.#random.chance(0.1) ? text.replace(' ', '  ') : text;
  }

  #bear(community: number): string[] {
    const id = String(5_000_000_000_000 + this.tweets.size);
    const live = this.#live[community] ?? [];
    this.tweets.set(id, community);
    live.push(id);
    if (live.length > LIVE_TWEETS) live.shift();
    return live;
  }
}
