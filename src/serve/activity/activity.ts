import { type EdgeChange, type Erasure, type GraphChange, judge, type Relation } from '../../graph/edge.ts';
import { type EntityKey, isOfType, typeOf } from '../../graph/entity.ts';
import { EntityIds } from '../entity-ids.ts';
import { EdgeLists, MOST_AT, type Records } from './edge-lists.ts';
import { Erasures } from './erasures.ts';
import { Forgotten } from './forgotten.ts';
import { type PopularEntity, Popularity } from './popularity.ts';
import { RecentSources } from './recent-sources.ts';

/**
 * Flags of a record in an entity's list. An edge is a record without BLOCK; the record behind it may be its companion, another time
 * of the same edge. For a removed edge that is when blocks ended last. For a live one it is the time that its weight in what is
 * popular was counted as of, where that is not the event's.
 */
const [REMOVED, BLOCK, COMPANION] = [1, 2, 4];
/** The entity of a companion. */
const NOBODY = -1;
/** The queues of lists: those with edges, and those with blocks alone, which are forgotten last. */
const [WITH_EDGES, BLOCKS_ALONE] = [0, 1];
/** Erasures that are remembered, unless fewer edges are. Each takes about 120 bytes of V8's heap. */
const MOST_ERASURES = 1_000_000;
/** Popular entities that are remembered, unless fewer edges are: to look for the best passes over all of them. */
const MOST_POPULAR_KEPT = 2_000_000;
/** An event may be so far ahead of its record before the record's time counts for it: less than a thousandth of a weight. */
const AHEAD_MS = 60_000;

/** Bytes of a remembered edge: alone, and with its part of the entities at its ends, ten edges each. Measured: docs/adr/040. */
export const [EDGE_BYTES, EDGE_WITH_ENTITIES_BYTES] = [12, 31];

export interface OwnEdge {
  readonly relation: string;
  readonly target: EntityKey;
  readonly at: number;
  readonly removed: boolean;
  /** The entity blocked the target, and nothing ended that. */
  readonly blocked: boolean;
}

/** The targets that an entity has seen. */
export interface Seen {
  /** Each target once, whether the edge to it is live or was taken back. */
  readonly targets: readonly EntityKey[];
  /** Whether nothing was forgotten of the entity that the event topics told. */
  readonly complete: boolean;
}

export interface ActivityOptions {
  /** Edges of other relations are not remembered. */
  readonly relations: readonly Relation[];
  /**
   * Most edges that are remembered of one entity, and of all. As many blocks by one entity are remembered besides, and as many
   * of it; among all edges, a block counts as one.
   */
  readonly edgesOfOne: number;
  readonly edges: number;
  /** The newest sources of a target are remembered for these relations, in all as many as edges. */
  readonly sourcesOf: readonly string[];
  clock(): number;
  /** Told of each entity whose vectors `hidesVector` may judge otherwise from now on. */
  erasureChanged?(entity: EntityKey): void;
}

interface Kind {
  readonly name: string;
  /** In records. */
  readonly code: number;
  /** Live edges that are remembered. */
  live: number;
  readonly popularity: Popularity;
  readonly sources: RecentSources | undefined;
}

/**
 * The recent edges and blocks of entities, read from the event topics in any order of arrival. They are bounded. When one entity has
 * too many edges, the edge that was heard of first is forgotten first. When all have too many, the entity that was quiet the longest
 * is forgotten first. Blocks are forgotten last, when no edge is left. `seen` says when something was forgotten.
 */
export class Activity {
  readonly #options: ActivityOptions;
  readonly #ids = new EntityIds();
  readonly #kinds: readonly Kind[];
  readonly #kindOf: ReadonlyMap<string, Kind>;
  readonly #popularity = new Map<string, Popularity>();
  /** By entity its edges, companions and blocks, in the order of arrival; its count is that of edges, its time when one was added last. */
  readonly #own = new EdgeLists(this.#ids);
  /** A list of each blocked entity with the entities that blocked it. */
  readonly #blockedBy = new EdgeLists(this.#ids);
  readonly #forgottenEntities: Forgotten;
  /** Topics are read side by side, and an event from before an erasure may come after it. */
  readonly #erasures: Erasures;
  #edges = 0;
  /** Newest event time, epoch ms. */
  at = 0;
  /** Edges that were forgotten to stay within the bounds. */
  forgotten = 0;

  constructor(options: ActivityOptions) {
    this.#options = options;
    const { edges, relations, sourcesOf } = options;
    this.#forgottenEntities = new Forgotten(edges);
    this.#erasures = new Erasures(this.#ids, Math.min(edges, MOST_ERASURES), (id) =>
      options.erasureChanged?.(this.#ids.nameOf(id)),
    );
    this.#kinds = relations.map(({ name, rhs }, code) => ({
      name,
      code,
      live: 0,
      popularity: this.#popularityOf(rhs),
      sources: sourcesOf.includes(name) ? new RecentSources(this.#ids, edges) : undefined,
    }));
    this.#kindOf = new Map(this.#kinds.map((kind) => [kind.name, kind]));
  }

  /** Edges and blocks remembered. */
  get edges(): number {
    return this.#edges;
  }

  get entities(): number {
    return this.#ids.size;
  }

  /** The present, epoch ms. */
  get now(): number {
    return this.#options.clock();
  }

  /** heardAt: when the log took the event, epoch ms. In what is popular, no edge is younger than that. */
  take(change: GraphChange, heardAt: number = change.at): void {
    this.at = Math.max(this.at, change.at);
    if ('erased' in change) this.#erase(change);
    else this.#edge(change, heardAt);
  }

  /** The entity's own edges of all relations, live or not, the newest first; none of an erased target. At most `k`. */
  recent(entity: EntityKey, k: number): OwnEdge[] {
    const records = this.#recordsOf(entity);
    const blocks = new Set<string>();
    const edges: { kind: Kind; id: number; at: number; removed: boolean }[] = [];
    for (let i = 0; i < records.length; i++) {
      const [flags, id, at, kind] = [
        records.flags(i),
        records.other(i),
        records.at(i),
        this.#kindIn(records, i),
      ];
      if ((flags & BLOCK) !== 0) blocks.add(`${kind.code} ${id}`);
      else if ((flags & COMPANION) === 0 && !this.#erasures.cover(id, at))
        edges.push({ kind, id, at, removed: (flags & REMOVED) !== 0 });
    }
    return edges
      .map(({ kind, id, at, removed }) => ({
        relation: kind.name,
        target: this.#ids.nameOf(id),
        at,
        removed,
        blocked: blocks.has(`${kind.code} ${id}`),
      }))
      .sort(newestFirst)
      .slice(0, k);
  }

  /** The targets that the entity has seen by some relations, in the order of arrival. */
  seen(entity: EntityKey, relations: readonly string[]): Seen {
    const codes = new Set(relations.map((relation) => this.#kindOf.get(relation)?.code));
    const records = this.#recordsOf(entity);
    const targets = new Set<number>();
    for (let i = 0; i < records.length; i++)
      if (
        isEdge(records, i) &&
        codes.has(records.kind(i)) &&
        !this.#erasures.cover(records.other(i), records.at(i))
      )
        targets.add(records.other(i));
    return { targets: Array.from(targets, (id) => this.#ids.nameOf(id)), complete: this.#isComplete(entity) };
  }

  /** How many live edges of a relation the entity has. */
  liveOf(entity: EntityKey, relation: string): number {
    const code = this.#kindOf.get(relation)?.code;
    const records = this.#recordsOf(entity);
    let count = 0;
    for (let i = 0; i < records.length; i++)
      if (
        records.kind(i) === code &&
        records.flags(i) === 0 &&
        !this.#erasures.cover(records.other(i), records.at(i))
      )
        count++;
    return count;
  }

  /** Whether the entity has a live edge to the target, by one of the relations. */
  hasLive(entity: EntityKey, relations: readonly string[], target: EntityKey): boolean {
    const [list, to] = [this.#own.find(this.#ids.find(entity)), this.#ids.find(target)];
    if (to < 0) return false;
    return relations.some((relation) => {
      const kind = this.#kindOf.get(relation);
      if (kind === undefined) return false;
      const i = this.#own.indexOf(list, to, kind.code, BLOCK | REMOVED);
      return i >= 0 && !this.#erasures.cover(to, this.#own.recordsOf(list).at(i));
    });
  }

  /**
   * How many live edges of a relation are remembered, of all entities. Those to erased targets are counted too, whether they
   * were read before the erasure or after: a weight does not depend on the order of reading.
   */
  liveOfAll(relation: string): number {
    return this.#kindOf.get(relation)?.live ?? 0;
  }

  /** The entities of a type that the entity blocked or that blocked it, as long as nothing ended the block. */
  blocked(entity: EntityKey, type: string): EntityKey[] {
    const id = this.#ids.find(entity);
    const found = new Set<EntityKey>();
    for (const lists of [this.#own, this.#blockedBy]) {
      const records = lists.recordsOf(lists.find(id));
      for (let i = 0; i < records.length; i++) {
        if ((records.flags(i) & BLOCK) === 0) continue;
        const [other, at] = [records.other(i), records.at(i)];
        const name = this.#ids.nameOf(other);
        if (isOfType(name, type) && !this.#erasures.cover(other, at) && !this.#erasures.cover(id, at))
          found.add(name);
      }
    }
    return [...found];
  }

  /** The entity whose newest live edge of the relation leads to the target, such as the advertiser of an ad. */
  sourceOf(target: EntityKey, relation: string): EntityKey | undefined {
    let newest: { readonly source: number; readonly at: number } | undefined;
    for (const each of this.#sourcesOf(target, relation))
      if (newest === undefined || each.at >= newest.at) newest = each;
    return newest && this.#ids.nameOf(newest.source);
  }

  /** The entities whose live edges of the relation lead to the target, such as who searched a query, the newest last. */
  recentSourcesOf(target: EntityKey, relation: string): EntityKey[] {
    return this.#sourcesOf(target, relation).map(({ source }) => this.#ids.nameOf(source));
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
    if (!this.#erasures.some) return false;
    const id = this.#ids.find(entity);
    return id >= 0 && this.#erasures.hides(id, vectorAt);
  }

  #edge(change: EdgeChange, heardAt: number): void {
    const kind = this.#kindOf.get(change.relation);
    if (kind === undefined) return;
    const [from, to] = [this.#ids.hold(change.lhs), this.#ids.hold(change.rhs)];
    // An edge to an erased target is remembered, as it would be if it had been read before the erasure; no answer names it.
    if (!this.#erasures.cover(from, change.at)) this.#changeEdge(kind, from, to, change, heardAt);
    this.#ids.release(from);
    this.#ids.release(to);
  }

  #changeEdge(kind: Kind, from: number, to: number, change: EdgeChange, heardAt: number): void {
    const own = this.#own;
    const { removed, blocked } = change;
    const at = Math.min(change.at, MOST_AT);
    if (!removed && this.#erasures.some && !this.#erasures.cover(to, at)) {
      this.#erasures.named(from, at);
      this.#erasures.named(to, at);
    }
    const list = own.open(from);
    if (!removed && at > own.timeOf(list)) own.setTime(list, at);
    const place = own.indexOf(list, to, kind.code, BLOCK);
    const known = place < 0 ? undefined : knownEdge(own.recordsOf(list), place);
    const verdict = judge(known, { at, removed });
    const ended = newestOf(known?.endedAt, removed && blocked !== false ? undefined : at);
    if (verdict === 'new' || verdict === 'newer') {
      const weighedAt = at - heardAt > AHEAD_MS ? heardAt : at;
      const companion = removed ? ended : weighedAt === at ? undefined : weighedAt;
      own.add(list, to, kind.code, at, removed ? REMOVED : 0);
      if (companion !== undefined) own.add(list, NOBODY, kind.code, companion, COMPANION);
      if (known !== undefined) {
        this.#over(kind, to, known);
        own.remove(list, place, known.records);
      } else {
        this.#edges++;
        own.setCount(list, own.countOf(list) + 1);
      }
      if (removed) kind.sources?.delete(to, from);
      else {
        kind.sources?.add(to, from, at);
        kind.live++;
        if (!this.#erasures.cover(to, at)) this.#addPopular(kind, to, weighedAt);
      }
      if (own.countOf(list) > this.#options.edgesOfOne) this.#forgetOldest(list);
    } else if (known?.removed === true && ended !== known.endedAt && ended !== undefined) {
      if (known.records === 2) own.setAt(list, place + 1, ended);
      else own.add(list, NOBODY, kind.code, ended, COMPANION, place + 1);
    }
    if (blocked === true && (ended === undefined || ended <= at)) this.#block(list, kind, to, at);
    else if (!removed || blocked === false) this.#unblock(list, kind, to, at);
    own.toEnd(list, own.countOf(list) > 0 ? WITH_EDGES : BLOCKS_ALONE);
    while (this.#edges > this.#options.edges) this.#forgetQuietest();
  }

  #block(list: number, kind: Kind, to: number, at: number): void {
    const [own, by] = [this.#own, this.#blockedBy];
    const place = own.indexOf(list, to, kind.code, BLOCK, BLOCK);
    if (place >= 0 && own.recordsOf(list).at(place) >= at) return;
    own.add(list, to, kind.code, at, BLOCK);
    const from = own.ownerOf(list);
    const reverse = by.open(to);
    const known = by.indexOf(reverse, from, kind.code);
    by.add(reverse, from, kind.code, at, BLOCK);
    if (known >= 0) by.remove(reverse, known);
    if (by.lengthOf(reverse) > this.#options.edgesOfOne) {
      by.remove(reverse, 0);
      by.setIncomplete(reverse);
    }
    if (place >= 0) {
      own.remove(list, place);
      return;
    }
    this.#edges++;
    if (own.lengthOf(list) <= this.#options.edgesOfOne) return;
    const records = own.recordsOf(list);
    let [blocks, first] = [0, -1];
    for (let i = 0; i < records.length; i++) {
      if ((records.flags(i) & BLOCK) === 0) continue;
      if (blocks++ === 0) first = i;
    }
    if (blocks <= this.#options.edgesOfOne) return;
    this.#forgetBlock(from, records, first);
    own.setIncomplete(list);
    own.remove(list, first);
  }

  /** A follow or an unblock ends the blocks before it; nothing else does. */
  #unblock(list: number, kind: Kind, to: number, at: number): void {
    const place = this.#own.indexOf(list, to, kind.code, BLOCK, BLOCK);
    const records = this.#own.recordsOf(list);
    if (place < 0 || records.at(place) >= at) return;
    this.#endBlock(this.#own.ownerOf(list), records, place);
    this.#own.remove(list, place);
  }

  /** Counts a block that is over, and takes it from the list of the blocked entity. */
  #endBlock(from: number, records: Records, i: number): void {
    this.#edges--;
    const reverse = this.#blockedBy.find(records.other(i));
    const place = this.#blockedBy.indexOf(reverse, from, records.kind(i));
    if (place < 0) return;
    this.#blockedBy.remove(reverse, place);
    if (this.#blockedBy.lengthOf(reverse) === 0) this.#close(this.#blockedBy, reverse);
  }

  /** As `endBlock`, for a block that is forgotten: the blocked entity is incomplete as well. */
  #forgetBlock(from: number, records: Records, i: number): void {
    const reverse = this.#blockedBy.find(records.other(i));
    if (reverse >= 0) this.#blockedBy.setIncomplete(reverse);
    this.#endBlock(from, records, i);
    this.forgotten++;
  }

  /** Takes back what a live edge added to the counts, and to what is popular: an erasure of the target took that before. */
  #over(kind: Kind, to: number, { at, removed, weighedAt }: KnownEdge): void {
    if (removed) return;
    kind.live--;
    if (!this.#erasures.cover(to, at)) kind.popularity.add(to, weighedAt, -1);
  }

  #erase({ erased, at }: Erasure): void {
    const id = this.#ids.hold(erased);
    if (!this.#erasures.cover(id, at)) {
      const popularity = this.#popularity.get(typeOf(erased));
      const list = this.#own.find(id);
      const added = list < 0 ? Number.NEGATIVE_INFINITY : this.#own.timeOf(list);
      this.#erasures.add(id, at, Math.max(added, popularity?.lastOf(id) ?? Number.NEGATIVE_INFINITY));
      if (list >= 0) this.#eraseOwn(list, at);
      // Edges to it that are younger and were read already lose their weight as well: no index leads from a target to its edges.
      popularity?.delete(id);
    }
    this.#ids.release(id);
  }

  #eraseOwn(list: number, until: number): void {
    const own = this.#own;
    const owner = own.ownerOf(list);
    let edges = 0;
    let keepsCompanion = false;
    own.keep(list, (records, i) => {
      const flags = records.flags(i);
      if ((flags & COMPANION) !== 0) return keepsCompanion;
      const isKept = records.at(i) > until;
      keepsCompanion = isKept;
      if ((flags & BLOCK) !== 0) {
        if (!isKept) this.#endBlock(owner, records, i);
      } else if (isKept) edges++;
      else {
        this.#edges--;
        this.#over(this.#kindIn(records, i), records.other(i), knownEdge(records, i));
      }
      return isKept;
    });
    if (edges === 0 && own.countOf(list) > 0) own.toEnd(list, BLOCKS_ALONE);
    own.setCount(list, edges);
    if (own.lengthOf(list) === 0) this.#close(own, list);
  }

  /** Somebody of the type that has most gives way, who is hardly popular: time takes no entity out. */
  #addPopular({ popularity }: Kind, entity: number, at: number): void {
    const { size } = popularity;
    popularity.add(entity, at, 1);
    if (popularity.size === size) return;
    const all = [...this.#popularity.values()];
    const most = Math.min(this.#options.edges, MOST_POPULAR_KEPT);
    if (all.reduce((sum, { size }) => sum + size, 0) <= most) return;
    all.reduce((a, b) => (b.size > a.size ? b : a)).dropOne();
  }

  #popularityOf(type: string): Popularity {
    const found = this.#popularity.get(type) ?? new Popularity(this.#ids);
    this.#popularity.set(type, found);
    return found;
  }

  /** Each relation's edge that was heard of first is compared, and the oldest of these is forgotten. */
  #forgetOldest(list: number): void {
    const records = this.#own.recordsOf(list);
    const heard = new Set<number>();
    let oldest = -1;
    for (let i = 0; i < records.length && heard.size < this.#kinds.length; i++) {
      if (!isEdge(records, i) || heard.has(records.kind(i))) continue;
      heard.add(records.kind(i));
      if (oldest < 0 || records.at(i) < records.at(oldest)) oldest = i;
    }
    if (oldest < 0) return;
    this.#forgetEdge(records, oldest);
    const count = knownEdge(records, oldest).records;
    this.#own.remove(list, oldest, count);
    this.#own.setCount(list, this.#own.countOf(list) - 1);
    this.#own.setIncomplete(list);
  }

  /** A forgotten edge keeps its weight in what is popular: nobody took the edge back. */
  #forgetEdge(records: Records, i: number): void {
    this.#edges--;
    this.forgotten++;
    if ((records.flags(i) & REMOVED) === 0) this.#kindIn(records, i).live--;
  }

  #forgetQuietest(): void {
    const own = this.#own;
    const quietest = own.first(WITH_EDGES);
    const list = quietest >= 0 ? quietest : own.first(BLOCKS_ALONE);
    const owner = own.ownerOf(list);
    own.keep(list, (records, i) => {
      const isBlock = (records.flags(i) & BLOCK) !== 0;
      if (isBlock && quietest >= 0) return true;
      if (isBlock) this.#forgetBlock(owner, records, i);
      else if (isEdge(records, i)) this.#forgetEdge(records, i);
      return false;
    });
    own.setCount(list, 0);
    own.setIncomplete(list);
    if (own.lengthOf(list) === 0) this.#close(own, list);
    else own.toEnd(list, BLOCKS_ALONE);
  }

  #close(lists: EdgeLists, list: number): void {
    if (lists.isIncomplete(list)) this.#forgottenEntities.add(this.#ids.nameOf(lists.ownerOf(list)));
    lists.close(list);
  }

  #isComplete(entity: EntityKey): boolean {
    const id = this.#ids.find(entity);
    const isIncomplete = (lists: EdgeLists) => lists.isIncomplete(lists.find(id));
    return !isIncomplete(this.#own) && !isIncomplete(this.#blockedBy) && !this.#forgottenEntities.has(entity);
  }

  #recordsOf(entity: EntityKey): Records {
    return this.#own.recordsOf(this.#own.find(this.#ids.find(entity)));
  }

  #sourcesOf(target: EntityKey, relation: string): { readonly source: number; readonly at: number }[] {
    const id = this.#ids.find(target);
    const found = this.#kindOf.get(relation)?.sources?.of(id) ?? [];
    return found.filter(
      ({ source, at }) => !this.#erasures.cover(source, at) && !this.#erasures.cover(id, at),
    );
  }

  #kindIn(records: Records, i: number): Kind {
    return this.#kinds[records.kind(i)]!;
  }
}

/** An edge as its records tell it. */
type KnownEdge = ReturnType<typeof knownEdge>;

function knownEdge(records: Records, i: number) {
  const at = records.at(i);
  const removed = (records.flags(i) & REMOVED) !== 0;
  const hasCompanion = i + 1 < records.length && (records.flags(i + 1) & COMPANION) !== 0;
  const companion = hasCompanion ? records.at(i + 1) : undefined;
  return {
    at,
    removed,
    /** When blocks ended last, as far as that is known. */
    endedAt: removed ? companion : at,
    /** The time that its weight in what is popular was counted as of. */
    weighedAt: companion ?? at,
    /** With its companion. */
    records: hasCompanion ? 2 : 1,
  };
}

function isEdge(records: Records, i: number): boolean {
  return (records.flags(i) & (BLOCK | COMPANION)) === 0;
}

/** Edges of one time are in the order of their names: an answer does not depend on what was read first. */
function newestFirst(a: OwnEdge, b: OwnEdge): number {
  if (a.at !== b.at) return b.at - a.at;
  if (a.relation !== b.relation) return a.relation < b.relation ? -1 : 1;
  return a.target < b.target ? -1 : 1;
}

function newestOf(a: number | undefined, b: number | undefined): number | undefined {
  return a !== undefined && b !== undefined ? Math.max(a, b) : (a ?? b);
}
