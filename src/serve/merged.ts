import { FatalError, reasonOf } from '../errors/errors.ts';
import type { EntityKey } from '../graph/entity.ts';
import { limiter } from './accepted-rows.ts';
import { refuseOthers } from './asked-entities.ts';
import { percentileOf } from './percentiles.ts';
import type { NamedVector } from './reasons.ts';
import type {
  Begun,
  Holding,
  ShardAnswers,
  ShardItem,
  ShardLook,
  ShardQuestion,
  ShardQuestions,
} from './shard.ts';
import { type MissedReason, type ShardLink, ShardMissed, ShardRefused } from './shard-link.ts';
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
import type { Answer, CandidatesAsked, RankAnswer, SimilarAnswer } from './surfaces.ts';

/** Requests that are answered at a time; more are refused. */
const MOST_AT_ONCE = 256;
/** A shard that left so many questions in a row unanswered is asked no more until it says how it is. */
const AWAY_AFTER = 3;
/** Whoever is busy, or serves another space, has answered. */
const UNANSWERED: readonly MissedReason[] = ['late', 'unreachable', 'broken'];

/** What an answer merged of several has besides. */
export interface Merging {
  /** Whether vectors of some partitions were left out: no shard that holds them answered in time. */
  readonly partial: boolean;
  readonly missingPartitions: readonly number[];
}

export interface MergedOptions {
  /** In order: of two that hold the same partitions, the first one is asked. */
  readonly links: readonly ShardLink[];
  /** Within this time, an answer is made of what the shards have answered. */
  readonly deadlineMs: number;
  /** Most ads of one advertiser in a list. */
  readonly adsOfOne: number;
  /** ms. */
  clock(): number;
  /** Told of each question that a shard left without an answer of use. */
  missed(url: string, reason: MissedReason): void;
  /** Told of each answer that is partial. */
  partial(): void;
}

/** How a shard is, as far as is known. */
interface ShardState {
  /** Undefined before the first look. */
  up: boolean | undefined;
  reason: string;
  holdings: readonly Holding[];
  /** Questions in a row that were left unanswered. */
  unanswered: number;
}

/**
 * Answers like one process that holds all vectors, from the answers of several that hold some partitions each. Whoever holds
 * the user's vector says by what to ask and what to leave out; all are asked for their best entities by that, and the best
 * of these are the best of all. Exact: each shard's list is, and scores are float64 numbers, the same in any process.
 */
export class Merged {
  readonly #options: MergedOptions;
  readonly #states: ReadonlyMap<ShardLink, ShardState>;
  #atOnce = 0;
  #wasReady = false;

  constructor(options: MergedOptions) {
    this.#options = options;
    this.#states = new Map(
      options.links.map((link) => [
        link,
        { up: undefined, reason: 'not asked yet', holdings: [], unanswered: 0 },
      ]),
    );
  }

  /**
   * As `Surfaces.candidates`, always by the user and the relations. @throws FatalError `busy` with too many requests, or when a
   * shard is busy that can have the user's vector; `shards-away` when no shard answers.
   */
  candidates(asked: CandidatesAsked): Promise<Answer & Merging> {
    return this.#turn((turn) => this.#candidates(turn, asked));
  }

  /** As `Surfaces.similar`; no items where the entity can be in a partition that is missing. @throws as `candidates`. */
  similar(entity: EntityKey, k: number, graph?: string): Promise<(SimilarAnswer & Merging) | undefined> {
    return this.#turn((turn) => this.#similar(turn, entity, k, graph));
  }

  /** As `Surfaces.rank`; no items where the user can be in a partition that is missing. @throws as `candidates`. */
  rank(
    user: EntityKey,
    relation: string,
    candidates: readonly EntityKey[],
    graph?: string,
  ): Promise<(RankAnswer & Merging) | undefined> {
    return this.#turn((turn) => this.#rank(turn, user, relation, candidates, graph));
  }

  /** Asks all shards how they are. timeoutMs: who takes longer is away. */
  async look(timeoutMs: number): Promise<void> {
    const looks = [...this.#states].map(async ([link, state]) => {
      try {
        const { holdings } = await link.ask('state', {}, timeoutMs);
        state.holdings = holdings;
        state.up = true;
        state.unanswered = 0;
      } catch (error) {
        state.up = false;
        state.reason = reasonOf(error);
      }
    });
    await Promise.all(looks);
    this.#wasReady ||= this.lacks().length === 0;
  }

  /**
   * Why nobody should ask now, a phrase each. Ready once all shards are and hold all partitions of one space; from then on
   * while any shard answers: a shard that is away makes answers partial.
   */
  unready(): readonly string[] {
    const anyUp = [...this.#states.values()].some(({ up }) => up === true);
    return this.#wasReady && anyUp ? [] : this.lacks();
  }

  /** Whether each shard answers, by its URL. */
  shards(): ReadonlyMap<string, boolean> {
    return new Map([...this.#states].map(([{ url }, { up }]) => [url, up === true]));
  }

  /** What is missing for whole answers, a phrase each. */
  lacks(): string[] {
    const lacks: string[] = [];
    const holdings: Reply<Holding>[] = [];
    for (const [link, { up, reason, holdings: held }] of this.#states) {
      if (up !== true) lacks.push(`${link.url}: ${reason}`);
      else holdings.push(...held.map((answer) => ({ link, answer })));
    }
    for (const [graph, of] of Map.groupBy(holdings, ({ answer }) => answer.graph)) {
      const together = largestTogether(of);
      const missing = missingPartitions(of, together);
      const others = new Set(of.map(({ answer }) => answer.space).filter((space) => space !== ''));
      if (missing.length > 0)
        lacks.push(
          `${graph}: no shard that answers holds the partitions ${missing.join(', ')}` +
            (others.size > 1 ? `; the shards serve ${others.size} spaces` : ''),
        );
    }
    return lacks;
  }

  async #candidates(turn: Turn, asked: CandidatesAsked): Promise<Answer & Merging> {
    const begun = await this.#begin(turn, 'begin-candidates', { asked });
    const together = largestTogether(begun, hasVector);
    const owner = ownerOf(together);
    const { answer: of } = owner ?? together[0]!;
    const holds = together.some(({ answer }) => answer.holds);
    if (owner === undefined) turn.refuseBusy();
    const limit = asked.surface === 'ads' ? { adsOfOne: this.#options.adsOfOne } : {};
    if (owner === undefined || !holds) {
      const replies = await turn.all(together, 'popular', {
        ...idOf(of),
        ...limit,
        asked,
        count: asked.k,
        known: holds,
      });
      const list = this.#list(turn, together, asked.k, limit.adsOfOne, replies);
      const items = list.items.map(({ entity }) => ({ entity, score: null }));
      return {
        ...this.#about(begun, list),
        items,
        fallback: 'popular',
        interests: 'none',
        filtered: filteredBy(of, list),
      };
    }
    const { queries, leftOut, type } = of;
    const look = { ...idOf(of), ...limit, type, queries, leftOut, idleMs: asked.idleMs };
    const recent = asked.explain === true ? { recent: await this.#recent(turn, together, of) } : {};
    const replies = await turn.all(together, 'top', { ...look, ...recent, count: asked.k });
    const list = this.#list(turn, together, asked.k, limit.adsOfOne, replies);
    const items = list.items.map(({ entity, score, reason }) => ({
      entity,
      score,
      ...(reason !== undefined && { reason }),
    }));
    return {
      ...this.#about(begun, list),
      items,
      fallback: null,
      interests: 'none',
      filtered: filteredBy(of, list),
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
  ): Promise<(SimilarAnswer & Merging) | undefined> {
    const begun = await this.#begin(turn, 'begin-similar', { entity, graph });
    let unknown: (SimilarAnswer & Merging) | undefined;
    for (const ofGraph of Map.groupBy(begun, ({ answer }) => answer.graph).values()) {
      const together = largestTogether(ofGraph, hasVector);
      const owner = ownerOf(together);
      if (owner === undefined) {
        const about = this.#about(ofGraph, { together });
        if (about.partial) unknown ??= { ...about, items: [], fallback: null, filtered: { erased: 0 } };
        continue;
      }
      const { queries, leftOut, type } = owner.answer;
      const look = { ...idOf(owner.answer), type, queries, leftOut };
      const replies = await turn.all(together, 'top', { ...look, count: k });
      const list = this.#list(turn, together, k, undefined, replies);
      const items = list.items.map((item) => ({ entity: item.entity, score: item.score }));
      const about = this.#about(ofGraph, list);
      // An earlier graph would have come first, had the shard with the entity answered.
      const partial = about.partial || unknown !== undefined;
      const { erased } = filteredBy(owner.answer, list);
      return { ...about, partial, items, fallback: null, filtered: { erased } };
    }
    turn.refuseBusy();
    return unknown;
  }

  async #rank(
    turn: Turn,
    user: EntityKey,
    relation: string,
    candidates: readonly EntityKey[],
    graph: string | undefined,
  ): Promise<(RankAnswer & Merging) | undefined> {
    const begun = await this.#begin(turn, 'begin-rank', { user, relation, graph });
    const together = largestTogether(begun, hasVector);
    refuseOthers('candidates', begun[0]!.answer.type, candidates);
    const owner = ownerOf(together);
    if (owner === undefined || !together.some(({ answer }) => answer.holds)) {
      turn.refuseBusy();
      const about = this.#about(begun, { together });
      return about.partial ? { ...about, items: [], missing: [], fallback: null } : undefined;
    }
    const { type, queries } = owner.answer;
    const look: ShardLook = { ...idOf(owner.answer), type, queries };
    const scored = await turn.all(together, 'scores', { ...look, entities: candidates }, 0.5);
    if (scored.length === 0) throw this.#away(turn);
    const scores = new Map(
      scored.flatMap(({ answer }) => answer.scores.map((each) => [each.entity, each] as const)),
    );
    const found = candidates.flatMap((entity) => scores.get(entity) ?? []);
    const of = found.map(({ entity, compared }) => ({ entity, compared }));
    const asked = repliesOf(together, scored);
    const ranked = of.length === 0 ? [] : await turn.all(asked, 'ranks', { ...look, of });
    const ranks = ranked.map(({ answer }) => answer.ranks);
    const about = this.#about(begun, {
      together: of.length === 0 ? asked : repliesOf(asked, ranked),
    });
    const items = found.map(({ entity, score }, i) => {
      const sum = (what: 'ahead' | 'of') => ranks.reduce((total, each) => total + (each[i]?.[what] ?? 0), 0);
      // The only entity is the best one, but nobody knows whether it is the only one.
      if (sum('of') === 0 && about.partial) throw this.#away(turn);
      return { entity, score, percentile: percentileOf(sum('ahead'), sum('of')) };
    });
    items.sort((a, b) => b.score - a.score);
    const missing = candidates.filter((entity) => !scores.has(entity));
    return { ...about, items, fallback: null, missing };
  }

  /**
   * The best `k` of the shards' best `k`. A longer look is never needed, limited or not: a shard's list has no more of an
   * advertiser than the limit, and whatever of it is refused here has as many better ones of its advertiser before it.
   * @throws FatalError `shards-away` or `busy` when there is no list.
   */
  #list(
    turn: Turn,
    together: Together,
    k: number,
    adsOfOne: number | undefined,
    replies: readonly Reply<{ readonly items: readonly ShardItem[] }>[],
  ): List {
    if (replies.length === 0) throw this.#away(turn);
    const accepts = limiter(adsOfOne, ({ advertiser }: ShardItem) => advertiser).accepts;
    const seen = new Set<EntityKey>();
    const items: ShardItem[] = [];
    for (const item of replies.flatMap(({ answer }) => answer.items).sort(byScore)) {
      if (items.length === k) break;
      // Where no shard has a table of the type, all of them list the same popular entities.
      if (!seen.has(item.entity) && accepts(item)) items.push(item);
      seen.add(item.entity);
    }
    return { items, together: repliesOf(together, replies) };
  }

  #about(
    begun: readonly Reply<Begun>[],
    { together }: Pick<List, 'together'>,
  ): Omit<SimilarAnswer, 'items' | 'fallback' | 'filtered'> & Merging {
    const missing = missingPartitions(begun, together);
    const answers = together.map(({ answer }) => answer);
    const stale = answers.flatMap(({ staleSince }) => staleSince ?? []);
    return {
      graph: (answers[0] ?? begun[0]!.answer).graph,
      space: answers.find(({ space }) => space !== '')?.space ?? '',
      step: Math.max(0, ...answers.map(({ step }) => step)),
      asOf: Math.max(0, ...answers.map(({ asOf }) => asOf)),
      staleSince: stale.length === 0 ? null : Math.min(...stale),
      partial: missing.length > 0,
      missingPartitions: missing,
    };
  }

  /** Asks all shards that are not away what they know, in half of the time. */
  async #begin<Q extends 'begin-candidates' | 'begin-similar' | 'begin-rank'>(
    turn: Turn,
    name: Q,
    question: ShardQuestions[Q],
  ): Promise<Reply<Begun>[]> {
    const asked = [...this.#states].filter(([, { up }]) => up !== false).map(([link]) => ({ link }));
    const links = asked.length > 0 ? asked : this.#options.links.map((link) => ({ link }));
    const replies = await turn.all(links, name, question, 0.5);
    const begun = replies.flatMap(({ link, answer }) =>
      answer.begun.map((each: Begun) => ({ link, answer: each })),
    );
    if (begun.length > 0) return begun;
    throw turn.refused ?? this.#away(turn);
  }

  async #turn<T extends Merging | undefined>(work: (turn: Turn) => Promise<T>): Promise<T> {
    if (this.#atOnce >= MOST_AT_ONCE)
      throw new FatalError('busy', `${this.#atOnce} requests wait for an answer; ask again in a second`);
    this.#atOnce++;
    try {
      const { clock, deadlineMs } = this.#options;
      const answer = await work(
        new Turn(clock, clock() + deadlineMs, (link, error) => this.#heard(link, error)),
      );
      if (answer?.partial === true) this.#options.partial();
      return answer;
    } finally {
      this.#atOnce--;
    }
  }

  /** A shard answered a question; error: or had no answer of use. */
  #heard(link: ShardLink, error: ShardMissed | undefined): void {
    const state = this.#states.get(link);
    if (error !== undefined) this.#options.missed(link.url, error.reason);
    if (state === undefined) return;
    const isUnanswered = error !== undefined && UNANSWERED.includes(error.reason);
    state.unanswered = isUnanswered ? state.unanswered + 1 : 0;
    if (!isUnanswered || state.unanswered < AWAY_AFTER) return;
    state.up = false;
    state.reason = error.message;
  }

  /** What is thrown where no shard has an answer of use. */
  #away({ missed }: Turn): FatalError {
    if (missed.length > 0 && missed.every((reason) => reason === 'busy')) return busyShards();
    const reasons = [...this.#states].map(([{ url }, { up, reason }]) =>
      up === false ? `${url}: ${reason}` : url,
    );
    return new FatalError(
      'shards-away',
      `no shard answers within ${this.#options.deadlineMs} ms: ${reasons.join('; ')}`,
    );
  }
}

/** A list, and the shards that it is of. */
interface List {
  readonly items: readonly ShardItem[];
  readonly together: Together;
}

/** The questions of one request, all of which have to be answered by its end. */
class Turn {
  /** The first refusal. */
  refused: ShardRefused | undefined;
  /** Why answers were of no use, in their order. */
  readonly missed: MissedReason[] = [];
  readonly #clock: () => number;
  readonly #end: number;
  readonly #heard: (link: ShardLink, error: ShardMissed | undefined) => void;

  constructor(
    clock: () => number,
    end: number,
    heard: (link: ShardLink, error: ShardMissed | undefined) => void,
  ) {
    this.#clock = clock;
    this.#end = end;
    this.#heard = heard;
  }

  /** The answers that come in time. share: of the time that is left. */
  async all<Q extends ShardQuestion>(
    asked: readonly { readonly link: ShardLink }[],
    name: Q,
    question: ShardQuestions[Q],
    share = 1,
  ): Promise<Reply<ShardAnswers[Q]>[]> {
    const timeoutMs = (this.#end - this.#clock()) * share;
    if (timeoutMs <= 0) return [];
    const replies = asked.map(async ({ link }): Promise<Reply<ShardAnswers[Q]>[]> => {
      try {
        const answer = await link.ask(name, question, timeoutMs);
        this.#heard(link, undefined);
        return [{ link, answer }];
      } catch (error) {
        if (error instanceof ShardRefused && name.startsWith('begin-')) {
          this.refused ??= error;
          this.#heard(link, undefined);
        } else this.#miss(link, missOf(error));
        return [];
      }
    });
    return (await Promise.all(replies)).flat();
  }

  #miss(link: ShardLink, error: ShardMissed): void {
    this.missed.push(error.reason);
    this.#heard(link, error);
  }

  /** For where no shard has the vector that is asked for. @throws FatalError `busy` when a busy one can have it. */
  refuseBusy(): void {
    if (this.missed.includes('busy')) throw busyShards();
  }
}

/** Later questions are our own: a shard that refuses one is of another version, or remembers fewer edges. @throws any other error. */
function missOf(error: unknown): ShardMissed {
  if (error instanceof ShardMissed) return error;
  if (error instanceof ShardRefused) return new ShardMissed('broken', error.message, { cause: error });
  throw error;
}

function busyShards(): FatalError {
  return new FatalError('busy', 'shards have too many requests that wait; ask again in a second');
}

/** What was left out: who holds the user knows of what the user did, and each shard of its own entities. */
function filteredBy(of: Begun, { together }: Pick<List, 'together'>): Begun['filtered'] {
  const sumOf = (what: 'excluded' | 'erased' | 'idle') =>
    together.reduce((sum, { answer }) => sum + answer.filtered[what], 0);
  return { ...of.filtered, excluded: sumOf('excluded'), erased: sumOf('erased'), idle: sumOf('idle') };
}

function byScore(a: ShardItem, b: ShardItem): number {
  if (a.score !== b.score) return b.score - a.score;
  return a.entity < b.entity ? -1 : Number(a.entity > b.entity);
}
