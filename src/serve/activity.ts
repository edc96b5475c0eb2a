import type { EdgeChange, Erasure, GraphChange } from '../graph/edge.ts';
import { judge } from '../graph/edge.ts';
import { type EntityKey, typeOf } from '../graph/entity.ts';

/** In this time, what a like weighs in what is popular falls to a half. */
const HALF_LIFE_MS = 24 * 3_600_000;
/** How long the order of what is popular is kept. */
const POPULAR_MS = 1_000;

/** The newest event of an edge. */
export interface RememberedEdge {
  readonly at: number;
  readonly removed: boolean;
  /** The removal was a block. */
  readonly blocked: boolean;
}

/** What is remembered of an entity's own edges, by relation and target; the newest last. */
export type OwnEdges = ReadonlyMap<string, ReadonlyMap<EntityKey, RememberedEdge>>;

export interface ActivityOptions {
  /** Most edges that are remembered of one entity, and of all; and most erasures. */
  readonly edgesOfOne: number;
  readonly edges: number;
  /** Relations of which the source of a target is remembered too. */
  readonly sourcesOf: readonly string[];
  clock(): number;
}

/**
 * What entities did of late: whom they follow, what they like and block. Read from the event topics, in any order of
 * arrival. Bounded: of one entity the edges heard of first are forgotten first, of all those of the entity that was
 * quiet the longest.
 */
export class Activity {
  readonly #options: ActivityOptions;
  /** The entity that was active last is last. */
  readonly #own = new Map<EntityKey, Map<string, Map<EntityKey, RememberedEdge>>>();
  readonly #popularity = new Map<string, Popularity>();
  /** By relation and target, for the relations that were asked to be remembered that way. */
  readonly #sources: ReadonlyMap<string, Map<EntityKey, Source>>;
  /** When entities were erased: topics are read side by side, and an event from before the erasure may come after it. */
  readonly #erased = new Map<EntityKey, number>();
  #edges = 0;
  /** Newest event time, epoch ms. */
  at = 0;
  /** Edges that were forgotten to stay within the bounds. */
  forgotten = 0;

  constructor(options: ActivityOptions) {
    this.#options = options;
    this.#sources = new Map(options.sourcesOf.map((relation) => [relation, new Map()]));
  }

  /** Edges remembered. */
  get edges(): number {
    return this.#edges;
  }

  /** blocked: whether the event is a block. */
  take(change: GraphChange, blocked = false): void {
    this.at = Math.max(this.at, change.at);
    if ('erased' in change) this.#erase(change);
    else this.#edge(change, blocked);
  }

  of(entity: EntityKey): OwnEdges {
    return this.#own.get(entity) ?? new Map();
  }

  /** The targets of the entity's live edges of a relation, those heard of last at the end. */
  live(entity: EntityKey, relation: string): EntityKey[] {
    return this.#targets(entity, relation, ({ removed }) => !removed);
  }

  /** The targets that the entity blocked and has not followed again since. */
  blocked(entity: EntityKey, relation: string): EntityKey[] {
    return this.#targets(entity, relation, ({ blocked }) => blocked);
  }

  /** The entity whose newest live edge of the relation leads to the target, such as the advertiser of an ad. */
  sourceOf(target: EntityKey, relation: string): EntityKey | undefined {
    const source = this.#sources.get(relation)?.get(target);
    return source === undefined || this.#wasErased(source.entity, source.at) ? undefined : source.entity;
  }

  /** Entities of a type by how many live edges lead to them, where a younger edge weighs more; the first first. */
  popular(type: string): readonly EntityKey[] {
    return this.#popularity.get(type)?.top(this.#options.clock()) ?? [];
  }

  #targets(entity: EntityKey, relation: string, wanted: (edge: RememberedEdge) => boolean): EntityKey[] {
    const found: EntityKey[] = [];
    for (const [target, edge] of this.of(entity).get(relation) ?? [])
      if (wanted(edge) && !this.#wasErased(target, edge.at)) found.push(target);
    return found;
  }

  /** Whether the entity was erased at that time or later. */
  #wasErased(entity: EntityKey, at: number): boolean {
    const erasedAt = this.#erased.get(entity);
    return erasedAt !== undefined && at <= erasedAt;
  }

  #edge({ lhs, relation, rhs, at, removed }: EdgeChange, blocked: boolean): void {
    if (this.#wasErased(lhs, at) || this.#wasErased(rhs, at)) return;
    const own = this.#own.get(lhs) ?? new Map<string, Map<EntityKey, RememberedEdge>>();
    this.#own.delete(lhs);
    this.#own.set(lhs, own);
    const edges = own.get(relation) ?? new Map<EntityKey, RememberedEdge>();
    own.set(relation, edges);
    const known = edges.get(rhs);
    const verdict = judge(known, { at, removed });
    // A block and an unfollow of the same time: the block counts, whichever comes first.
    const blocks = verdict === 'duplicate' && blocked && known?.blocked === false;
    if (verdict !== 'new' && verdict !== 'newer' && !blocks) return;
    edges.delete(rhs);
    edges.set(rhs, { at, removed, blocked });
    this.#sourceChanged(relation, rhs, { entity: lhs, at }, removed);
    if (known !== undefined) this.#unpopular(rhs, known);
    if (!removed) this.#popularityOf(typeOf(rhs)).add(rhs, at, 1);
    if (known !== undefined) return;
    this.#edges++;
    if (sizeOf(own) > this.#options.edgesOfOne) this.#forgetOldest(own);
    while (this.#edges > this.#options.edges) this.#forgetQuietest();
  }

  #sourceChanged(relation: string, target: EntityKey, source: Source, removed: boolean): void {
    const sources = this.#sources.get(relation);
    const known = sources?.get(target);
    if (!removed) {
      if (known === undefined || known.at <= source.at) sources?.set(target, source);
    } else if (known?.entity === source.entity) sources?.delete(target);
  }

  /** Takes back what an edge added to what is popular; an erasure of the target took that before. */
  #unpopular(target: EntityKey, { at, removed }: RememberedEdge): void {
    if (!removed && !this.#wasErased(target, at)) this.#popularityOf(typeOf(target)).add(target, at, -1);
  }

  #erase({ erased, at }: Erasure): void {
    if (this.#wasErased(erased, at)) return;
    this.#erased.delete(erased);
    this.#erased.set(erased, at);
    for (const first of this.#erased.keys()) {
      if (this.#erased.size <= this.#options.edges) break;
      this.#erased.delete(first);
    }
    const own = this.#own.get(erased);
    for (const edges of own?.values() ?? []) {
      for (const [target, edge] of edges) {
        if (edge.at > at) continue;
        edges.delete(target);
        this.#edges--;
        this.#unpopular(target, edge);
      }
    }
    if (own !== undefined && sizeOf(own) === 0) this.#own.delete(erased);
    this.#popularityOf(typeOf(erased)).delete(erased);
  }

  #popularityOf(type: string): Popularity {
    const found = this.#popularity.get(type) ?? new Popularity();
    this.#popularity.set(type, found);
    return found;
  }

  #forgetOldest(own: Map<string, Map<EntityKey, RememberedEdge>>): void {
    let oldest: { edges: Map<EntityKey, RememberedEdge>; target: EntityKey; at: number } | undefined;
    for (const edges of own.values()) {
      for (const [target, { at }] of edges) {
        if (oldest === undefined || at < oldest.at) oldest = { edges, target, at };
        break;
      }
    }
    oldest?.edges.delete(oldest.target);
    this.#edges--;
    this.forgotten++;
  }

  #forgetQuietest(): void {
    for (const [entity, own] of this.#own) {
      this.#own.delete(entity);
      this.#edges -= sizeOf(own);
      this.forgotten += sizeOf(own);
      return;
    }
  }
}

/** The entity that a target's newest edge comes from. */
interface Source {
  readonly entity: EntityKey;
  readonly at: number;
}

function sizeOf(own: ReadonlyMap<string, ReadonlyMap<EntityKey, RememberedEdge>>): number {
  let size = 0;
  for (const edges of own.values()) size += edges.size;
  return size;
}

/** A sum of weights for each entity of a type, as of its newest edge; an edge weighs half as much with each half-life. */
class Popularity {
  readonly #sums = new Map<EntityKey, { weight: number; at: number }>();
  #top: { readonly entities: readonly EntityKey[]; readonly madeAt: number } | undefined;

  add(entity: EntityKey, at: number, sign: 1 | -1): void {
    const sum = this.#sums.get(entity);
    if (sum === undefined) {
      if (sign > 0) this.#sums.set(entity, { weight: 1, at });
      return;
    }
    const newest = Math.max(sum.at, at);
    const weight = sum.weight * decayed(newest - sum.at) + sign * decayed(newest - at);
    // What rounding leaves of nothing is nothing.
    if (weight < 2 ** -40) this.#sums.delete(entity);
    else this.#sums.set(entity, { weight, at: newest });
  }

  delete(entity: EntityKey): void {
    this.#sums.delete(entity);
  }

  top(now: number): readonly EntityKey[] {
    if (this.#top === undefined || now - this.#top.madeAt >= POPULAR_MS || now < this.#top.madeAt) {
      const scored = [...this.#sums].map(([entity, { weight, at }]) => ({
        entity,
        // As a logarithm: no time is so long that the weight becomes 0.
        score: Math.log2(weight) + at / HALF_LIFE_MS,
      }));
      scored.sort((a, b) => b.score - a.score || (a.entity < b.entity ? -1 : 1));
      this.#top = { entities: scored.map(({ entity }) => entity), madeAt: now };
    }
    return this.#top.entities;
  }
}

function decayed(ageMs: number): number {
  return 2 ** (-ageMs / HALF_LIFE_MS);
}
