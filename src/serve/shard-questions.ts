import type { EntityKey } from '../graph/entity.ts';
import type { ScorerName } from '../model/settings.ts';
import type { GraphStatus } from './graph-status.ts';
import type { Holding, SpaceId } from './holding.ts';
import type { ItemReason, NamedVector } from './reasons.ts';
import type { SearchAsked } from './search.ts';
import type { Decay } from './served-graph.ts';
import type { SearchBegun, Searchers } from './shard-search.ts';
import type { SharedNeighbours } from './shared-neighbours.ts';
import type { Answer, CandidatesAsked } from './surfaces.ts';
import type { SharingText, WeighedTrigram } from './text-index.ts';
import type { RecentAnswer } from './users.ts';

/** An entity's vector moved by a relation, as another process can ask by it. */
export interface ShardQuery {
  /** [dim] in float64. */
  readonly vector: Float64Array;
  readonly weight: number;
  readonly relation: string;
  readonly scorer: ScorerName;
  readonly beta: number;
}

/** What the shard that holds an entity knows of a question about it. */
export interface Begun extends Holding, Pick<Answer, 'filtered'> {
  /** Type of what is looked for, and whether the shard has a table of it. */
  readonly type: string;
  readonly holds: boolean;
  /** None where the shard has no vector of the entity. With none, the next two are empty. */
  readonly queries: readonly ShardQuery[];
  readonly leftOut: readonly EntityKey[];
  /** What the user engaged with of late, where reasons are asked for. */
  readonly recent: readonly EntityKey[];
}

/** A look at the rows of a shard. */
export interface ShardLook extends SpaceId {
  readonly type: string;
  readonly queries: readonly ShardQuery[];
}

export interface ShardItem {
  readonly entity: EntityKey;
  readonly score: number;
  /** Of an ad, where it is known. */
  readonly advertiser?: EntityKey | undefined;
  readonly reason?: ItemReason | undefined;
  readonly shared?: SharedNeighbours | undefined;
}

/** How many of one advertiser a list may have; no limit unless given. */
interface Limited {
  readonly adsOfOne?: number | undefined;
}

/** What a process that merges lists asks a shard, by the name of the question. */
export interface ShardQuestions {
  readonly state: object;
  readonly 'begin-candidates': { readonly asked: CandidatesAsked };
  readonly 'begin-similar': { readonly entity: EntityKey; readonly graph?: string | undefined };
  readonly 'begin-rank': {
    readonly user: EntityKey;
    readonly relation: string;
    readonly graph?: string | undefined;
  };
  readonly top: ShardLook &
    Limited & {
      readonly leftOut: readonly EntityKey[];
      /** As in `CandidatesAsked`. */
      readonly idleMs?: number | undefined;
      readonly decay?: Decay | undefined;
      readonly count: number;
      /** Vectors that reasons compare with; undefined: no reasons. */
      readonly recent?: readonly NamedVector[] | undefined;
      /** The entity whose shared neighbours are asked for; undefined: nobody's. */
      readonly sharedWith?: EntityKey | undefined;
    };
  readonly popular: SpaceId &
    Limited & {
      readonly asked: CandidatesAsked;
      readonly count: number;
      /** Entities without a vector are left out. */
      readonly known: boolean;
    };
  readonly vectors: SpaceId & { readonly type: string; readonly entities: readonly EntityKey[] };
  readonly scores: ShardLook & { readonly entities: readonly EntityKey[] };
  readonly ranks: ShardLook & {
    readonly of: readonly { readonly entity: EntityKey; readonly compared: number }[];
  };
  readonly 'begin-search': Pick<SearchAsked, 'query' | 'type' | 'graph' | 'idleMs'>;
  readonly 'alike-texts': SpaceId & { readonly trigrams: readonly WeighedTrigram[] };
  readonly 'trigram-counts': SpaceId & { readonly trigrams: readonly string[] };
  readonly searchers: Pick<SearchAsked, 'type' | 'graph'> & {
    readonly shown: SpaceId;
    readonly searched: SpaceId;
    readonly queries: readonly EntityKey[];
  };
  readonly 'popular-type': SpaceId & {
    readonly type: string;
    readonly idleMs?: number | undefined;
    readonly count: number;
    /** Entities without a vector are left out. */
    readonly known: boolean;
  };
  readonly recent: { readonly user: EntityKey; readonly k: number };
  readonly 'random-user': object;
}

/** The answers to `ShardQuestions`. Lists are best first; of equal scores, the lower name first. */
export interface ShardAnswers {
  readonly state: { readonly holdings: readonly Holding[]; readonly status: readonly GraphStatus[] };
  readonly 'begin-candidates': { readonly begun: readonly Begun[] };
  /** Of each graph that could have the entity, in order. */
  readonly 'begin-similar': { readonly begun: readonly Begun[] };
  readonly 'begin-rank': { readonly begun: readonly Begun[] };
  readonly top: { readonly items: readonly ShardItem[] };
  readonly popular: { readonly items: readonly ShardItem[] };
  readonly vectors: { readonly vectors: readonly NamedVector[] };
  /** Of those entities that the shard holds. compared: the number by which scans compare. */
  readonly scores: {
    readonly scores: readonly {
      readonly entity: EntityKey;
      readonly score: number;
      readonly compared: number;
    }[];
  };
  /** For each entity, of the shard's others: how many score higher, an equal one counting half, and how many there are. */
  readonly ranks: { readonly ranks: readonly { readonly ahead: number; readonly of: number }[] };
  readonly 'begin-search': SearchBegun;
  readonly 'alike-texts': { readonly texts: readonly SharingText[] };
  /** How many texts the shard has, and how many of them have each of the trigrams. */
  readonly 'trigram-counts': { readonly texts: number; readonly counts: readonly number[] };
  readonly searchers: Searchers;
  readonly 'popular-type': { readonly items: readonly ShardItem[] };
  readonly recent: RecentAnswer;
  /** A user with a vector, if the shard has any. */
  readonly 'random-user': { readonly user?: EntityKey | undefined };
}

export type ShardQuestion = keyof ShardQuestions;
