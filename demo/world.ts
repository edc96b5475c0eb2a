import { badRecord, type WorldEvent } from './world-bad.ts';
import { ACTIONS, act, type Deed, encode } from './world-deeds.ts';
import { Random, Weighted } from './world-random.ts';
import { Society } from './world-society.ts';

export interface WorldOptions {
  readonly seed: number;
  /** Number of all records, including bad and repeated records. */
  readonly events: number;
  /** Default: one user for every 50 events. */
  readonly users?: number;
  /** Default: one community for every 100 users; for every 40 in a small world, which keeps the share by chance low. */
  readonly communities?: number;
  /** Event time of the last record, epoch ms; the first record is {@link SPAN_MS} earlier. Part of what decides the bytes. */
  readonly until?: number;
}

/** The planted facts by entity id. Tweets and counts grow while the events are drawn. */
export interface Truth {
  /** Community of each user that still exists. */
  readonly users: ReadonlyMap<string, number>;
  /** Second community of each user who has one. */
  readonly second: ReadonlyMap<string, number>;
  readonly tweets: ReadonlyMap<string, number>;
  readonly ads: ReadonlyMap<string, number>;
  readonly communities: readonly string[];
  readonly erased: ReadonlySet<string>;
  readonly counts: WorldCounts;
}

export interface WorldCounts {
  /** Good records by action: like, follow, ad-click, … */
  readonly actions: Record<string, number>;
  /** Bad records by kind. */
  readonly bad: Record<string, number>;
  /** Exact repetitions, and records that are older than the newest record of their edge. */
  duplicates: number;
  late: number;
  erasures: number;
}

export interface World {
  readonly truth: Truth;
  readonly events: Generator<WorldEvent, void, undefined>;
}

export type { WorldEvent, WorldTopic } from './world-bad.ts';

/** The world's time from its first event to its last. */
export const SPAN_MS = 7 * 86_400_000;
const DEFAULT_UNTIL = Date.UTC(2025, 0, 1);
const BAD_SHARE = 0.01;
const DUPLICATE_SHARE = 0.005;
const LATE_SHARE = 0.005;
const ERASURES = 2;
/** Number of recent records that can be repeated. */
const MEMORY = 256;

/** A synthetic world: planted communities and the stream of their users' actions. Equal options give equal bytes. */
export function createWorld(options: WorldOptions): World {
  const random = new Random(options.seed);
  const users = options.users ?? Math.max(100, Math.round(options.events / 50));
  const communities = options.communities ?? communitiesOf(users);
  const society = new Society(random, users, communities);
  const homes = new Map(society.people.map((person) => [person.id, person.home]));
  const second = new Map<string, number>();
  for (const person of society.people) if (person.second !== undefined) second.set(person.id, person.second);
  const erased = new Set<string>();
  const counts: WorldCounts = { actions: {}, bad: {}, duplicates: 0, late: 0, erasures: 0 };
  const { tweets, ads } = society;
  const truth = { users: homes, second, tweets, ads, communities: society.names, erased, counts };

  function erase(at: number): WorldEvent {
    const person = society.actor();
    person.erased = true;
    homes.delete(person.id);
    second.delete(person.id);
    erased.add(person.id);
    counts.erasures++;
    const value = Buffer.from(JSON.stringify({ entity: `user:${person.id}`, at }));
    return { topic: 'erasure', key: person.id, value };
  }

  function* events(): Generator<WorldEvent, void, undefined> {
    const choice = new Weighted(ACTIONS.map(([, weight]) => weight));
    const recent: { deed: Deed; event: WorldEvent }[] = [];
    const start = (options.until ?? DEFAULT_UNTIL) - SPAN_MS;
    let bad = 0;
    for (let n = 0; n < options.events; n++) {
      const at = Math.round(start + ((n + random.next()) / options.events) * SPAN_MS);
      const again = recent.length === 0 ? undefined : random.pick(recent);
      const kind = random.next();
      if (counts.erasures < ERASURES && n >= ((counts.erasures + 1) / (ERASURES + 1)) * options.events) {
        yield erase(at);
      } else if (kind < BAD_SHARE) {
        const record = badRecord(bad++, society.actor().id, at);
        add(counts.bad, record.kind);
        yield { topic: record.topic, key: record.key, value: record.value };
      } else if (
        again !== undefined &&
        kind < BAD_SHARE + DUPLICATE_SHARE + LATE_SHARE &&
        !isGone(again.deed)
      ) {
        if (kind < BAD_SHARE + DUPLICATE_SHARE) {
          counts.duplicates++;
          yield again.event;
        } else {
          counts.late++;
          const earlier = again.deed.at - 1000 - random.below(3_600_000);
          yield encode({ ...again.deed, at: earlier }, random);
        }
      } else {
        const deed = act(society, random, ACTIONS[choice.draw(random)]?.[0] ?? 'like', at);
        const event = encode(deed, random);
        add(counts.actions, deed.action);
        recent.push({ deed, event });
        if (recent.length > MEMORY) recent.shift();
        yield event;
      }
    }
  }

  function isGone(deed: Deed): boolean {
    return deed.actor.erased || erased.has(deed.fields['followedId'] ?? '');
  }

  return { truth, events: events() };
}

function communitiesOf(users: number): number {
  return Math.max(10, Math.min(40, Math.round(users / 40)), Math.round(users / 100));
}

function add(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}
