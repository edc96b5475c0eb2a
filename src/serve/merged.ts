import { UsageError } from '../errors/errors.ts';
import type { EntityKey } from '../graph/entity.ts';
import { Admission } from './admission.ts';
import { refuseOthers } from './asked-entities.ts';
import { ChosenAmong } from './chosen.ts';
import { KnownShards, type KnownShardsOptions } from './known-shards.ts';
import { bestOf, headOf, type Merging } from './merged-list.ts';
import { MergedSearch } from './merged-search.ts';
import { percentileOf } from './percentiles.ts';
import type { NamedVector } from './reasons.ts';
import type { SearchAnswer, SearchAsked } from './search.ts';
import type { Begun, ShardAnswers, ShardLook, ShardQuestions } from './shard-questions.ts';
import {
  hasVector,
  idOf,
  largestTogether,
  missingPartitions,
  ownerOf,
  type Reply,
  repliesOf,
  type Together,
} from './shard-replies.ts';
import {
  type Answer,
  type CandidatesAsked,
  missingOf,
  type RankAnswer,
  type SimilarAnswer,
} from './surfaces.ts';
import { type Asker, busyShards, RETRY_MS, Turn } from './turn.ts';
import type { RecentAnswer } from './users.ts';

export interface MergedOptions extends KnownShardsOptions {
  /** Within this time, a request is answered or refused. */
  readonly deadlineMs: number;
  /** Most ads of one advertiser in a list. */
  readonly adsOfOne: number;
  /** ms. */
  clock(): number;
  pause(ms: number): Promise<void>;
  /** A number from 0 to below 1. */
  random(): number;
  /** Told of each answer that is partial. */
  partial(): void;
}

/**
 * Answers like one process that holds all vectors, from the answers of several that hold some partitions each. Whoever holds
 * the user's vector says by what to ask and what to leave out; all are asked for their best entities by that, and the best
 * of these are the best of all. Exact: each shard's list is, and scores are float64 numbers, the same in any process.
 *
 * An answer is partial only while a shard is away, fails, or holds other vectors. Where shards are there and have too much to do, a
 * request is answered whole or refused: asked again a little later, it can be whole.
 */
export class Merged {
  readonly #options: MergedOptions;
  /** How the shards are. */
  readonly shards: KnownShards;
  readonly #admission: Admission;

  constructor(options: MergedOptions) {
    this.#options = options;
    this.#admission = new Admission(() => options.clock());
    this.shards = new KnownShards(options);
  }

  /**
   * As `Surfaces.candidates`, by the user and the relations. @throws UsageError where several interests are asked for; FatalError `busy` where no whole answer can be made in
   * time, though the shards that are missing are there; `shards-away` when no shard answers.
   */
  async candidates(asked: CandidatesAsked): Promise<Answer & Merging> {
    if ((asked.interests ?? 'none') !== 'none') throw interestsHere(asked.interests);
    return this.#turn('candidates', (turn) => this.#candidates(turn, asked));
  }

  /** As `Surfaces.similar`; no items where the entity can be in a partition that is missing. @throws as `candidates`. */
  similar(
    entity: EntityKey,
    k: number,
    graph?: string,
    explain = false,
  ): Promise<(SimilarAnswer & Merging) | undefined> {
    return this.#turn('similar', (turn) => this.#similar(turn, entity, k, graph, explain));
  }

  /** As `Surfaces.rank`; no items where the user can be in a partition that is missing. @throws as `candidates`. */
  rank(
    user: EntityKey,
    relation: string,
    candidates: readonly EntityKey[],
    graph?: string,
    negatives: readonly EntityKey[] = [],
  ): Promise<(RankAnswer & Merging) | undefined> {
    return this.#turn('rank', (turn) => this.#rank(turn, user, relation, candidates, graph, negatives));
  }

  /** As `Surfaces.search`. @throws as `candidates`. */
  search(asked: SearchAsked): Promise<SearchAnswer & Merging> {
    return this.#turn('search', async (turn) => {
      const { query, type, graph, idleMs } = asked;
      const begun = await turn.all(this.shards.asked(), 'begin-search', { query, type, graph, idleMs }, 0.5);
      if (begun.length === 0) throw turn.refused ?? turn.away();
      const search = new MergedSearch(turn, begun, asked);
      if (turn.isCrowded && !search.isWhole) throw busyShards();
      return search.answer();
    });
  }

  /** As `Users.recentAnswer`: every shard knows it. @throws FatalError `busy`, `shards-away`. */
  async recentAnswer(user: EntityKey, k: number): Promise<RecentAnswer> {
    for await (const answer of this.#each('recent', { user, k })) return answer;
    return { user, items: [] };
  }

  /** A user with a vector; undefined where none has. @throws as `recentAnswer`. */
  async random(): Promise<EntityKey | undefined> {
    for await (const { user } of this.#each('random-user', {})) if (user !== undefined) return user;
    return undefined;
  }

  async #candidates(turn: Turn, asked: CandidatesAsked): Promise<Answer & Merging> {
    const begun = await this.#begin(turn, 'begin-candidates', { asked });
    const together = largestTogether(begun, hasVector);
    const owner = ownerOf(together);
    const { answer: of } = owner ?? together[0]!;
    const holds = together.some(({ answer }) => answer.holds);
    const limit = asked.surface === 'ads' ? { adsOfOne: this.#options.adsOfOne } : {};
    if (owner === undefined || !holds) {
      const replies = await turn.all(together, 'popular', {
        ...idOf(of),
        ...limit,
        asked,
        count: asked.k,
        known: holds,
      });
      const list = bestOf(turn, together, asked.k, replies, limit.adsOfOne);
      const items = list.items.map(({ entity }) => ({ entity, score: null }));
      return {
        ...headOf(begun, list.together),
        items,
        fallback: 'popular',
        interests: 'none',
        filtered: filteredBy(of, list.together),
      };
    }
    const { queries, leftOut, type } = of;
    const { idleMs, decayMs } = asked;
    // All from one moment, so that what shards give can be compared.
    const decay = decayMs === undefined ? undefined : { halfLifeMs: decayMs, at: of.asOf };
    const look = { ...idOf(of), ...limit, type, queries, leftOut, idleMs, decay };
    const recent = asked.explain === true ? { recent: await this.#recent(turn, together, of) } : {};
    const replies = await turn.all(together, 'top', { ...look, ...recent, count: asked.k });
    const list = bestOf(turn, together, asked.k, replies, limit.adsOfOne);
    const items = list.items.map(({ entity, score, reason }) => ({
      entity,
      score,
      ...(reason !== undefined && { reason }),
    }));
    return {
      ...headOf(begun, list.together),
      items,
      fallback: null,
      interests: 'none',
      filtered: filteredBy(of, list.together),
    };
  }

  /** The vectors of what the user engaged with of late, from whoever holds them. */
  async #recent(turn: Turn, together: Together, of: Begun): Promise<NamedVector[]> {
    if (of.recent.length === 0) return [];
    const question = { ...idOf(of), type: of.type, entities: of.recent };
    const replies = await turn.all(together, 'vectors', question, 0.5);
    const found = new Map(replies.flatMap(({ answer }) => answer.vectors));
    return of.recent.flatMap((entity): NamedVector[] => {
      const vector = found.get(entity);
      return vector === undefined ? [] : [[entity, vector]];
    });
  }

  async #similar(
    turn: Turn,
    entity: EntityKey,
    k: number,
    graph: string | undefined,
    explain: boolean,
  ): Promise<(SimilarAnswer & Merging) | undefined> {
    const begun = await this.#begin(turn, 'begin-similar', { entity, graph });
    let unknown: (SimilarAnswer & Merging) | undefined;
    for (const ofGraph of Map.groupBy(begun, ({ answer }) => answer.graph).values()) {
      const together = largestTogether(ofGraph, hasVector);
      const owner = ownerOf(together);
      if (owner === undefined) {
        const about = headOf(ofGraph, together);
        if (about.partial) unknown ??= { ...about, items: [], fallback: null, filtered: { erased: 0 } };
        continue;
      }
      const { queries, leftOut, type } = owner.answer;
      const look = { ...idOf(owner.answer), type, queries, leftOut };
      // Every shard reads all events, and knows the neighbours of what it holds.
      const sharedWith = explain ? entity : undefined;
      const replies = await turn.all(together, 'top', { ...look, count: k, sharedWith });
      const list = bestOf(turn, together, k, replies);
      const items = list.items.map(({ entity: name, score, shared }) => ({
        entity: name,
        score,
        ...(shared && { reason: shared }),
      }));
      const about = headOf(ofGraph, list.together);
      // An earlier graph would have come first, had the shard with the entity answered.
      const partial = about.partial || unknown !== undefined;
      const { erased } = filteredBy(owner.answer, list.together);
      return { ...about, partial, items, fallback: null, filtered: { erased } };
    }
    return unknown;
  }

  async #rank(
    turn: Turn,
    user: EntityKey,
    relation: string,
    candidates: readonly EntityKey[],
    graph: string | undefined,
    negatives: readonly EntityKey[],
  ): Promise<(RankAnswer & Merging) | undefined> {
    const begun = await this.#begin(turn, 'begin-rank', { user, relation, graph });
    const together = largestTogether(begun, hasVector);
    refuseOthers('candidates', begun[0]!.answer.type, candidates);
    refuseOthers('negatives', begun[0]!.answer.type, negatives);
    const owner = ownerOf(together);
    if (owner === undefined || !together.some(({ answer }) => answer.holds)) {
      const about = headOf(begun, together);
      return about.partial ? { ...about, items: [], missing: [], fallback: null } : undefined;
    }
    const { type, queries } = owner.answer;
    const look: ShardLook = { ...idOf(owner.answer), type, queries };
    const entities = [...candidates, ...negatives];
    const scored = await turn.all(together, 'scores', { ...look, entities }, 0.5);
    if (scored.length === 0) throw turn.away();
    const scores = new Map(
      scored.flatMap(({ answer }) => answer.scores.map((each) => [each.entity, each] as const)),
    );
    const found = candidates.flatMap((entity) => scores.get(entity) ?? []);
    const of = found.map(({ entity, compared }) => ({ entity, compared }));
    const asked = repliesOf(together, scored);
    const ranked = of.length === 0 ? [] : await turn.all(asked, 'ranks', { ...look, of });
    const ranks = ranked.map(({ answer }) => answer.ranks);
    const about = headOf(begun, of.length === 0 ? asked : repliesOf(asked, ranked));
    const chosen = ChosenAmong.those(negatives, (entity) => scores.get(entity)?.score);
    const items = found.map(({ entity, score }, i) => {
      const probability = chosen.probability(entity, score);
      const sum = (what: 'ahead' | 'of') => ranks.reduce((total, each) => total + (each[i]?.[what] ?? 0), 0);
      // The only entity is the best one, but nobody knows whether it is the only one.
      if (sum('of') === 0 && about.partial) throw turn.away();
      const percentile = percentileOf(sum('ahead'), sum('of'));
      return { entity, score, percentile, ...(probability !== undefined && { probability }) };
    });
    items.sort((a, b) => b.score - a.score);
    const missing = missingOf(candidates, negatives, (entity) => scores.has(entity));
    return { ...about, items, fallback: null, missing };
  }

  /**
   * Asks all shards that are not away what they know, in half of the time.
   * @throws FatalError `busy` when a shard is missing that is there: whatever else is asked, the answer would not be whole.
   */
  async #begin<Q extends 'begin-candidates' | 'begin-similar' | 'begin-rank'>(
    turn: Turn,
    name: Q,
    question: ShardQuestions[Q],
  ): Promise<Reply<Begun>[]> {
    const replies = await turn.all(this.shards.asked(), name, question, 0.5);
    const begun = replies.flatMap(({ link, answer }) =>
      answer.begun.map((each: Begun) => ({ link, answer: each })),
    );
    if (begun.length === 0) throw turn.refused ?? turn.away();
    const graphs = [...Map.groupBy(begun, ({ answer }) => answer.graph).values()];
    const isWhole = (of: readonly Reply<Begun>[]) =>
      missingPartitions(of, largestTogether(of, hasVector)).length === 0;
    if (turn.isCrowded && !graphs.every(isWhole)) throw busyShards();
    return begun;
  }

  /** The answer that the work gives in the request's turn. kind: as in `Admission`. */
  async #turn<T extends Merging | undefined>(kind: string, work: (turn: Turn) => Promise<T>): Promise<T> {
    const { turn, leave } = await this.#enter(kind);
    try {
      const answer = await work(turn);
      if (turn.isCrowded && answer?.partial !== false) throw busyShards();
      if (answer?.partial === true) this.#options.partial();
      return answer;
    } finally {
      leave();
    }
  }

  async #enter(kind: string): Promise<{ turn: Turn; leave(): void }> {
    const { clock, deadlineMs } = this.#options;
    const end = clock() + deadlineMs;
    const admitted = await this.#admission.enter(kind, end);
    const turn = new Turn(this.#asker(), end);
    return { turn, leave: () => admitted.leave(turn.wasCrowded) };
  }

  /** The answers of shards to what any of them knows, one after the other, beginning with any. @throws as `recentAnswer`. */
  async *#each<Q extends 'recent' | 'random-user'>(
    name: Q,
    question: ShardQuestions[Q],
  ): AsyncGenerator<ShardAnswers[Q]> {
    const { turn, leave } = await this.#enter(name);
    try {
      const links = this.shards.asked();
      const first = Math.floor(this.#options.random() * links.length);
      let answers = 0;
      for (const asked of [...links.slice(first), ...links.slice(0, first)]) {
        for (const { answer } of await turn.all([asked], name, question, 0.5)) {
          answers++;
          yield answer;
        }
      }
      if (answers === 0) throw turn.away();
    } finally {
      leave();
    }
  }

  #asker(): Asker {
    const { clock, pause, random, deadlineMs } = this.#options;
    return {
      clock,
      pause: () => pause(RETRY_MS * (1 - random() / 2)),
      heard: (link, error) => this.shards.heard(link, error),
      isAway: (link) => this.shards.isAway(link),
      away: () => this.shards.away(deadlineMs),
    };
  }
}

/** Interests are clusters of all vectors of a type, which nobody has here. */
function interestsHere(seen: unknown): UsageError {
  return new UsageError(
    'interests',
    `interests: expected none, seen ${JSON.stringify(seen)}; lists of several processes are made by the user alone: ask a twhin serve that holds all vectors`,
  );
}

/** What was left out: who holds the user knows of what the user did, and each shard of its own entities. */
function filteredBy(of: Begun, together: Together): Begun['filtered'] {
  const sumOf = (what: 'excluded' | 'erased' | 'idle') =>
    together.reduce((sum, { answer }) => sum + answer.filtered[what], 0);
  return { ...of.filtered, excluded: sumOf('excluded'), erased: sumOf('erased'), idle: sumOf('idle') };
}
