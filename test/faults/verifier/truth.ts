import type { TopicRecord } from '../../e2e/topic-reader.ts';
import { type EdgeBytes, sha256 } from './store-bytes.ts';

/** At least and at most: where partitions that are read in any order decide, both are right. */
export type Bounds = readonly [least: number, most: number];

/** What a graph must hold after the records of its topics, worked out from their text. */
export interface Truth {
  readonly consumed: Bounds;
  readonly rejected: Bounds;
  readonly duplicate: Bounds;
  readonly late: Bounds;
  /** By `lhs relation rhs`, removed ones too. */
  readonly edges: ReadonlyMap<string, EdgeBytes>;
  /** Entities that must be there, and all that may. */
  readonly entities: { readonly sure: ReadonlySet<string>; readonly possible: ReadonlySet<string> };
  /** Time of erasure by sha-256 of the entity, hex. */
  readonly erasures: ReadonlyMap<string, number>;
  /** Of each good record the ends of its edges, or undefined for an erasure. */
  readonly ends: readonly (readonly string[] | undefined)[];
}

/** The graphs of TwHIN: their topics, and the relations they learn. */
export const GRAPHS = {
  engagement: {
    topics: ['engagement', 'ad-click', 'search', 'erasure'],
    relations: ['likes', 'retweets', 'replies', 'quotes', 'mentions', 'clicks', 'promotes', 'searches'],
  },
  follow: { topics: ['follow', 'ad-click', 'erasure'], relations: ['follows', 'clicks', 'promotes'] },
} as const;

export type GraphName = keyof typeof GRAPHS;

const ACTIONS: Readonly<Record<string, readonly [relation: string, removed: boolean]>> = {
  like: ['likes', false],
  unlike: ['likes', true],
  retweet: ['retweets', false],
  unretweet: ['retweets', true],
  reply: ['replies', false],
  quote: ['quotes', false],
  mention: ['mentions', false],
  follow: ['follows', false],
  unfollow: ['follows', true],
  block: ['follows', true],
};

/** What one event says of one edge, and where it lies in the log. */
interface Said extends EdgeBytes {
  readonly name: string;
  readonly ends: readonly [string, string];
  readonly partition: number;
}

/**
 * Works it out. records: of the graph's topics, in order within a partition. bad: whether a record must be rejected.
 * Edges follow from the newest event alone, so they are exact whatever the order; counts of repeats are exact for all
 * edges whose events lie in one partition and no erasure concerns.
 */
export function truthOf(
  graph: GraphName,
  prefix: string,
  records: readonly TopicRecord[],
  bad: (record: TopicRecord) => boolean,
): Truth {
  const { topics, relations } = GRAPHS[graph];
  const read = records.filter(({ topic }) => topics.some((name) => topic === `${prefix}${name}`));
  const good = read.filter((record) => !bad(record));
  const said = good.map((record) => edgesOf(record, prefix, relations));
  const erased = erasuresOf(good, prefix);
  const erasedAt = (entity: string) => erased.get(entity) ?? 0;
  const outlives = ({ at, ends }: Said) => ends.every((end) => at > erasedAt(end));

  const byEdge = Map.groupBy(said.flat(), ({ name }) => name);
  const edges = new Map<string, EdgeBytes>();
  const unsure = new Set<string>();
  for (const [name, all] of byEdge) {
    const kept = all.filter(outlives);
    const newest = kept.reduce<Said | undefined>((best, one) => (wins(one, best) ? one : best), undefined);
    if (newest) edges.set(name, { at: newest.at, removed: newest.removed });
    if (kept.length < all.length || new Set(all.map(({ partition }) => partition)).size > 1) unsure.add(name);
  }
  const repeats = countRepeats(said, unsure);
  const repeatedErasures = countErasures(good, prefix);
  const add = (a: Bounds, n: number): Bounds => [a[0] + n, a[1] + n];
  return {
    consumed: [read.length, read.length],
    rejected: [read.length - good.length, read.length - good.length],
    duplicate: add(repeats.duplicate, repeatedErasures.duplicate),
    late: add(repeats.late, repeatedErasures.late),
    edges,
    entities: entitiesOf(said.flat(), edges, unsure, erasedAt),
    erasures: new Map([...erased].map(([entity, at]) => [sha256(entity), at])),
    ends: good.map(({ topic }, i) =>
      topic === `${prefix}erasure` ? undefined : said[i]!.flatMap(({ ends }) => ends),
    ),
  };
}

/** The newest wins; of two of one time the removal. */
function wins(one: EdgeBytes, best: EdgeBytes | undefined): boolean {
  if (best === undefined) return true;
  return one.at > best.at || (one.at === best.at && one.removed && !best.removed);
}

/** The edges an event names, the acting user's first; none where the graph does not learn its relation. */
function edgesOf(record: TopicRecord, prefix: string, relations: readonly string[]): Said[] {
  const event = JSON.parse(String(record.value));
  const { at } = event;
  const edge = (lhs: string, relation: string, rhs: string, removed = false): Said => ({
    ...{ name: `${lhs} ${relation} ${rhs}`, ends: [lhs, rhs], at, removed, partition: record.partition },
  });
  const [relation = '', removed = false] = ACTIONS[event.action] ?? [];
  const named: Record<string, () => Said[]> = {
    engagement: () => [edge(`user:${event.userId}`, relation, `tweet:${event.tweetId}`, removed)],
    follow: () => [edge(`user:${event.followerId}`, relation, `user:${event.followedId}`, removed)],
    'ad-click': () => [
      edge(`user:${event.userId}`, 'clicks', `ad:${event.adId}`),
      edge(`advertiser:${event.advertiserId}`, 'promotes', `ad:${event.adId}`),
    ],
    search: () => [edge(`user:${event.userId}`, 'searches', `query:${event.query}`)],
  };
  const edges = named[record.topic.slice(prefix.length)]?.() ?? [];
  return edges.filter(({ name }) => relations.includes(name.split(' ')[1] ?? ''));
}

function erasuresOf(records: readonly TopicRecord[], prefix: string): Map<string, number> {
  const erased = new Map<string, number>();
  for (const { topic, value } of records) {
    if (topic !== `${prefix}erasure`) continue;
    const { entity, at } = JSON.parse(String(value));
    erased.set(entity, Math.max(at, erased.get(entity) ?? 0));
  }
  return erased;
}

/** An event's own edge, the first it names, says whether it is a repeat: what it says besides came with that edge before. */
function countRepeats(
  events: readonly (readonly Said[])[],
  unsure: ReadonlySet<string>,
): { duplicate: Bounds; late: Bounds } {
  const known = new Map<string, EdgeBytes>();
  const counts = { duplicate: 0, late: 0, unsure: 0 };
  for (const [own] of events) {
    if (own === undefined) continue;
    const before = known.get(own.name);
    if (unsure.has(own.name)) counts.unsure++;
    else if (before && before.at === own.at && before.removed === own.removed) counts.duplicate++;
    else if (before && !wins(own, before)) counts.late++;
    if (wins(own, before)) known.set(own.name, own);
  }
  const { duplicate, late, unsure: either } = counts;
  return { duplicate: [duplicate, duplicate + either], late: [late, late + either] };
}

function countErasures(records: readonly TopicRecord[], prefix: string): { duplicate: number; late: number } {
  const known = new Map<string, number>();
  const counts = { duplicate: 0, late: 0 };
  for (const { topic, value } of records) {
    if (topic !== `${prefix}erasure`) continue;
    const { entity, at } = JSON.parse(String(value));
    const before = known.get(entity);
    if (before === at) counts.duplicate++;
    else if (before !== undefined && before > at) counts.late++;
    else known.set(entity, at);
  }
  return counts;
}

function entitiesOf(
  said: readonly Said[],
  edges: ReadonlyMap<string, EdgeBytes>,
  unsure: ReadonlySet<string>,
  erasedAt: (entity: string) => number,
): Truth['entities'] {
  const sure = new Set<string>();
  const possible = new Set<string>();
  const known = new Map<string, EdgeBytes>();
  for (const one of said) {
    const { name, ends, at, removed } = one;
    const counts = wins(one, known.get(name));
    if (counts) known.set(name, one);
    if (removed) continue;
    const lives = edges.get(name)?.removed === false;
    for (const end of ends) {
      if (at > erasedAt(end)) possible.add(end);
      if (lives || (counts && !unsure.has(name) && erasedAt(end) === 0)) sure.add(end);
    }
  }
  return { sure, possible };
}
