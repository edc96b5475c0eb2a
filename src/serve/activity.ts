import type { EdgeChange, Erasure, GraphChange } from '../graph/edge.ts';
import { judge } from '../graph/edge.ts';
import { type EntityKey, typeOf } from '../graph/entity.ts';
import { Erasures } from './erasures.ts';
import { keepNewest } from './keep-newest.ts';
import { type PopularEntity, Popularity } from './popularity.ts';
import { RecentActors } from './recent-actors.ts';
import { RecentSources } from './recent-sources.ts';

/** The newest event of an edge. */
export interface RememberedEdge {
  readonly at: number;
  readonly removed: boolean;
  /** Of a removed edge: when the edge was added last, where that is known. */
  readonly addedAt: number | undefined;
}

/** One of an entity's own edges. */
export interface OwnEdge {
  readonly relation: string;
  readonly target: EntityKey;
  readonly at: number;
  readonly removed: boolean;
  /** The entity blocked the target, and no follow ended that. */
  readonly blocked: boolean;
}

/** What is remembered of an entity's own edges and blocks, by relation and target; the newest last. */
export interface OwnEdges {
  readonly edges: ReadonlyMap<string, ReadonlyMap<EntityKey, RememberedEdge>>;
  /** When the newest block was that no follow ended. */
  readonly blocks: ReadonlyMap<string, ReadonlyMap<EntityKey, number>>;
}

export interface ActivityOptions {
  /**
   * Most edges that are remembered of one entity, and of all; and most erasures. Of one entity as many blocks are
   * remembered besides; of all, blocks count as edges.
   */
  readonly edgesOfOne: number;
  readonly edges: number;
  /** Relations of which the newest source of a target is remembered too. */
  readonly sourcesOf: readonly string[];
  /** Relations of which the newest sources of a target are remembered; of all targets, as many as edges. */
  readonly recentSourcesOf: readonly string[];
  /** Relations of which it is remembered who acted on a target, and how many actors of all targets. */
  readonly actorsOf: readonly string[];
  readonly actors: number;
  clock(): number;
  /** Told of each entity whose vectors `hidesVector` may judge otherwise from now on. */
  erasureChanged?(entity: EntityKey): void;
}

/**
 * What entities did of late: whom they follow, what they like and block. Read from the event topics, in any order of
 * arrival. Bounded: of one entity the edges heard of first are forgotten first, of all those of the entity that was
 * quiet the longest. Blocks are forgotten last, when no other edge is left. What is popular is as many entities as edges at
 * most: those least popular are dropped.
 */
export class Activity {
  readonly #options: ActivityOptions;
  /** The entity that was active last is last. */
  readonly #own = new Map<EntityKey, Map<string, Map<EntityKey, RememberedEdge>>>();
  /** By entity, relation and target: when the newest block was. Those heard of last are last. */
  readonly #blocks = new Map<EntityKey, Map<string, Map<EntityKey, number>>>();
  /** Live edges that are remembered, by relation. */
  readonly #live = new Map<string, number>();
  readonly #popularity = new Map<string, Popularity>();
  /** By relation and target, for the relations that were asked to be remembered that way. */
  readonly #sources: ReadonlyMap<string, Map<EntityKey, Source>>;
  readonly #recentSources: ReadonlyMap<string, RecentSources>;
  readonly #actors: RecentActors;
  readonly #actorsOf: ReadonlySet<string>;
  /** Topics are read side by side, and an event from before an erasure may come after it. */
  readonly #erasures: Erasures;
  #edges = 0;
  /** Newest event time, epoch ms. */
  at = 0;
  /** Edges that were forgotten to stay within the bounds. */
  forgotten = 0;

  constructor(options: ActivityOptions) {
    this.#options = options;
    this.#erasures = new Erasures(options.edges, (entity) => options.erasureChanged?.(entity));
    this.#sources = new Map(options.sourcesOf.map((relation) => [relation, new Map()]));
    this.#actors = new RecentActors(options.actors);
    this.#actorsOf = new Set(options.actorsOf);
    this.#recentSources = new Map(
      options.recentSourcesOf.map((relation) => [relation, new RecentSources(options.edges)]),
    );
  }

  /** Edges and blocks remembered. */
  get edges(): number {
    return this.#edges;
  }

  /** The present, epoch ms. */
  get now(): number {
    return this.#options.clock();
  }

  /** blocked: whether the event is a block. */
  take(change: GraphChange, blocked = false): void {
    this.at = Math.max(this.at, change.at);
    if ('erased' in change) this.#erase(change);
    else this.#edge(change, blocked);
  }

  of(entity: EntityKey): OwnEdges {
    return { edges: this.#own.get(entity) ?? new Map(), blocks: this.#blocks.get(entity) ?? new Map() };
  }

  /** The entity's own edges of all relations, live or not, the newest first; none of an erased target. At most `k`. */
  recent(entity: EntityKey, k: number): OwnEdge[] {
    const own = this.of(entity);
    const edges: OwnEdge[] = [];
    for (const [relation, targets] of own.edges)
      for (const [target, { at, removed }] of targets) {
        const blocked = own.blocks.get(relation)?.has(target) === true;
        if (!this.#erasures.cover(target, at)) edges.push({ relation, target, at, removed, blocked });
      }
    return edges.sort(newestFirst).slice(0, k);
  }

  /** The targets of the entity's live edges of a relation, those heard of last at the end. */
  live(entity: EntityKey, relation: string): EntityKey[] {
    const found: EntityKey[] = [];
    for (const [target, edge] of this.of(entity).edges.get(relation) ?? [])
      if (this.isLive(target, edge)) found.push(target);
    return found;
  }

  /**
   * How many live edges of a relation are remembered, of all entities. Those to erased targets are counted too, whether they
   * were read before the erasure or after: a weight does not depend on the order of reading.
   */
  liveOfAll(relation: string): number {
    return this.#live.get(relation) ?? 0;
  }

  /** The targets that the entity blocked and has not followed again since, those heard of last at the end. */
  blocked(entity: EntityKey, relation: string): EntityKey[] {
    const found: EntityKey[] = [];
    for (const [target, at] of this.of(entity).blocks.get(relation) ?? [])
      if (!this.#erasures.cover(target, at)) found.push(target);
    return found;
  }

  /** The entity whose newest live edge of the relation leads to the target, such as the advertiser of an ad. */
  sourceOf(target: EntityKey, relation: string): EntityKey | undefined {
    const source = this.#sources.get(relation)?.get(target);
    if (source === undefined || this.#erasures.cover(source.entity, source.at)) return undefined;
    return this.#erasures.cover(target, source.at) ? undefined : source.entity;
  }

  /** The entities whose live edges of the relation lead to the target, such as who searched a query, the newest last. */
  recentSourcesOf(target: EntityKey, relation: string): EntityKey[] {
    const found: EntityKey[] = [];
    for (const [source, at] of this.#recentSources.get(relation)?.of(target) ?? [])
      if (!this.#erasures.cover(source, at) && !this.#erasures.cover(target, at)) found.push(source);
    return found;
  }

  /** Who acted on the target, those heard of last at the end; some may have taken back what they did, or be erased. */
  actorsOf(target: EntityKey): readonly EntityKey[] {
    return this.#actors.of(target);
  }

  /** Whether a remembered edge to the target is live. */
  isLive(target: EntityKey, { at, removed }: RememberedEdge): boolean {
    return !removed && !this.#erasures.cover(target, at);
  }

  /**
   * Entities of a type by how many live edges lead to them, where a younger edge weighs more; the first first, and of equal
   * ones the lower name. At most 16,384, put in order as far as they are taken.
   */
  popular(type: string): Iterable<PopularEntity> {
    return this.#popularity.get(type)?.inOrder(this.#options.clock()) ?? [];
  }

  /**
   * Whether a vector is one from before the entity's erasure, which may be known before its tombstone is. vectorAt: time of the
   * newest event that the updater had written when it published the vector, epoch ms.
   *
   * The updater reads its topics side by side as well: that it knew of events younger than the erasure does not say that it knew
   * of the erasure. An entity comes back by an edge that is added later, and by nothing else.
   */
  hidesVector(entity: EntityKey, vectorAt: number): boolean {
    return this.#erasures.hides(entity, vectorAt);
  }

  #edge({ lhs, relation, rhs, at, removed }: EdgeChange, blocked: boolean): void {
    // An edge to an erased target is remembered, as it would be if it had been read before the erasure; no answer names it.
    if (this.#erasures.cover(lhs, at)) return;
    if (!removed && this.#erasures.some && !this.#erasures.cover(rhs, at)) {
      this.#erasures.named(lhs, at);
      this.#erasures.named(rhs, at);
    }
    const own = this.#own.get(lhs) ?? new Map<string, Map<EntityKey, RememberedEdge>>();
    this.#own.delete(lhs);
    this.#own.set(lhs, own);
    const edges = own.get(relation) ?? new Map<EntityKey, RememberedEdge>();
    own.set(relation, edges);
    const known = edges.get(rhs);
    const verdict = judge(known, { at, removed });
    const addedAt = newestOf(known?.removed === false ? known.at : known?.addedAt, removed ? undefined : at);
    if (verdict === 'new' || verdict === 'newer') {
      edges.delete(rhs);
      edges.set(rhs, { at, removed, addedAt: removed ? addedAt : undefined });
      this.#sourceChanged(relation, rhs, { entity: lhs, at }, removed);
      if (known !== undefined) this.#over(relation, rhs, known);
      if (!removed) {
        if (!this.#erasures.cover(rhs, at)) this.#addPopular(rhs, at);
        this.#live.set(relation, this.liveOfAll(relation) + 1);
        if (this.#actorsOf.has(relation)) this.#actors.add(rhs, lhs);
      }
      if (known === undefined) {
        this.#edges++;
        if (sizeOf(own) > this.#options.edgesOfOne) this.#forgetOldest(own);
      }
    } else if (known?.removed === true && addedAt !== known.addedAt) {
      edges.set(rhs, { ...known, addedAt });
    }
    if (blocked && (addedAt === undefined || addedAt <= at)) this.#block(lhs, relation, rhs, at);
    else if (!removed) this.#unblock(lhs, relation, rhs, at);
    while (this.#edges > this.#options.edges) this.#forgetQuietest();
  }

  #block(lhs: EntityKey, relation: string, rhs: EntityKey, at: number): void {
    const own = this.#blocks.get(lhs) ?? new Map<string, Map<EntityKey, number>>();
    this.#blocks.delete(lhs);
    this.#blocks.set(lhs, own);
    const blocks = own.get(relation) ?? new Map<EntityKey, number>();
    own.set(relation, blocks);
    const known = blocks.get(rhs);
    if (known !== undefined && known >= at) return;
    blocks.delete(rhs);
    blocks.set(rhs, at);
    if (known !== undefined) return;
    this.#edges++;
    if (sizeOf(own) <= this.#options.edgesOfOne) return;
    // The relation that has most blocks gives the one heard of first.
    const most = [...own.values()].reduce((a, b) => (b.size > a.size ? b : a));
    for (const first of most.keys()) {
      most.delete(first);
      break;
    }
    this.#edges--;
    this.forgotten++;
  }

  /** A follow ends the blocks before it; nothing else does. */
  #unblock(lhs: EntityKey, relation: string, rhs: EntityKey, at: number): void {
    const own = this.#blocks.get(lhs);
    const blocks = own?.get(relation);
    const blockedAt = blocks?.get(rhs);
    if (own === undefined || blocks === undefined || blockedAt === undefined || blockedAt >= at) return;
    blocks.delete(rhs);
    this.#edges--;
    if (sizeOf(own) === 0) this.#blocks.delete(lhs);
  }

  #sourceChanged(relation: string, target: EntityKey, source: Source, removed: boolean): void {
    const sources = this.#sources.get(relation);
    const known = sources?.get(target);
    if (!removed) {
      if (known === undefined || known.at <= source.at) {
        // Those heard of last are last.
        sources?.delete(target);
        sources?.set(target, source);
        if (sources !== undefined) keepNewest(sources, this.#options.edges);
      }
    } else if (known?.entity === source.entity) sources?.delete(target);
    const recent = this.#recentSources.get(relation);
    if (removed) recent?.delete(target, source.entity);
    else recent?.add(target, source.entity, source.at);
  }

  /** Takes back what a live edge added to the counts, and to what is popular: an erasure of the target took that before. */
  #over(relation: string, target: EntityKey, { at, removed }: RememberedEdge): void {
    if (removed) return;
    this.#live.set(relation, this.liveOfAll(relation) - 1);
    if (!this.#erasures.cover(target, at)) this.#popularityOf(typeOf(target)).add(target, at, -1);
  }

  #erase(erasure: Erasure): void {
    const { erased, at } = erasure;
    if (this.#erasures.cover(erased, at)) return;
    this.#erasures.add(erasure, this.#lastAdded(erased));
    const own = this.#own.get(erased);
    for (const [relation, edges] of own ?? []) {
      for (const [target, edge] of edges) {
        if (edge.at > at) continue;
        edges.delete(target);
        this.#edges--;
        this.#over(relation, target, edge);
      }
    }
    if (own !== undefined && sizeOf(own) === 0) this.#own.delete(erased);
    const blocks = this.#blocks.get(erased);
    for (const targets of blocks?.values() ?? []) {
      for (const [target, blockedAt] of targets) {
        if (blockedAt > at) continue;
        targets.delete(target);
        this.#edges--;
      }
    }
    if (blocks !== undefined && sizeOf(blocks) === 0) this.#blocks.delete(erased);
    // Edges to it that are younger and were read already lose their weight as well: no index leads from a target to its edges.
    this.#popularityOf(typeOf(erased)).delete(erased);
  }

  /** When an edge of the entity was added last, as far as that is remembered. */
  #lastAdded(entity: EntityKey): number {
    let last = this.#popularity.get(typeOf(entity))?.lastOf(entity) ?? Number.NEGATIVE_INFINITY;
    for (const edges of this.#own.get(entity)?.values() ?? [])
      for (const { at, removed, addedAt = last } of edges.values())
        last = Math.max(last, removed ? addedAt : at);
    return last;
  }

  /** Of the type that has most, somebody who is hardly popular gives way: time takes no entity out. */
  #addPopular(entity: EntityKey, at: number): void {
    const popularity = this.#popularityOf(typeOf(entity));
    const { size } = popularity;
    popularity.add(entity, at, 1);
    if (popularity.size === size) return;
    const all = [...this.#popularity.values()];
    if (all.reduce((sum, { size }) => sum + size, 0) <= this.#options.edges) return;
    all.reduce((a, b) => (b.size > a.size ? b : a)).dropOne();
  }

  #popularityOf(type: string): Popularity {
    const found = this.#popularity.get(type) ?? new Popularity();
    this.#popularity.set(type, found);
    return found;
  }

  #forgetOldest(own: Map<string, Map<EntityKey, RememberedEdge>>): void {
    let oldest: { relation: string; target: EntityKey; edge: RememberedEdge } | undefined;
    for (const [relation, edges] of own) {
      for (const [target, edge] of edges) {
        if (oldest === undefined || edge.at < oldest.edge.at) oldest = { relation, target, edge };
        break;
      }
    }
    if (oldest === undefined) return;
    own.get(oldest.relation)?.delete(oldest.target);
    this.#forgot(oldest.relation, oldest.edge);
  }

  /** What is popular keeps what a forgotten edge added: nobody took the edge back. */
  #forgot(relation: string, { removed }: RememberedEdge): void {
    this.#edges--;
    this.forgotten++;
    if (!removed) this.#live.set(relation, this.liveOfAll(relation) - 1);
  }

  #forgetQuietest(): void {
    for (const [entity, own] of this.#own) {
      this.#own.delete(entity);
      for (const [relation, edges] of own) for (const edge of edges.values()) this.#forgot(relation, edge);
      if (this.#edges <= this.#options.edges) return;
    }
    for (const [entity, blocks] of this.#blocks) {
      this.#blocks.delete(entity);
      this.#edges -= sizeOf(blocks);
      this.forgotten += sizeOf(blocks);
      return;
    }
  }
}

/** Of edges of one time, in the order of their names: an answer does not depend on what was read first. */
function newestFirst(a: OwnEdge, b: OwnEdge): number {
  if (a.at !== b.at) return b.at - a.at;
  if (a.relation !== b.relation) return a.relation < b.relation ? -1 : 1;
  return a.target < b.target ? -1 : 1;
}

/** The entity that a target's newest edge comes from. */
interface Source {
  readonly entity: EntityKey;
  readonly at: number;
}

function newestOf(a: number | undefined, b: number | undefined): number | undefined {
  return a !== undefined && b !== undefined ? Math.max(a, b) : (a ?? b);
}

function sizeOf(own: ReadonlyMap<string, ReadonlyMap<EntityKey, unknown>>): number {
  let size = 0;
  for (const edges of own.values()) size += edges.size;
  return size;
}
