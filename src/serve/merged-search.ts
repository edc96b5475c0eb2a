import { type EntityKey, idOf as idOfEntity } from '../graph/entity.ts';
import { bestOf, headOf, type MergedList, type Merging } from './merged-list.ts';
import {
  LEAST_ALIKE,
  MOST_USED,
  meanOf,
  movedOne,
  type SearchAnswer,
  type SearchAsked,
  STAND_INS,
  type UsedQuery,
  usedOf,
} from './search.ts';
import { movedByEach, USER } from './served-graph.ts';
import { idOf, largestTogether, missingPartitions, type Reply, repliesOf } from './shard-replies.ts';
import type { SearchBegun, Searched } from './shard-search.ts';
import { mostAlike, mostSharing, trigramsOf, trigramWeight } from './text-index.ts';
import type { Turn } from './turn.ts';

/** Of the time that is left, what each step before the last may take. */
const SHARE = 0.5;

/**
 * Answers a search like one process that holds all vectors: see `search`. The parts of a query's text weigh as much as they do among
 * the texts of all shards, and whoever searched it is where the shards' vectors say.
 */
export class MergedSearch {
  readonly #turn: Turn;
  readonly #begun: readonly Reply<SearchBegun>[];
  readonly #asked: SearchAsked;
  /** Those whose vectors are shown, and those who know of queries. */
  readonly #shown: readonly Reply<SearchBegun>[];
  readonly #known: readonly Reply<Searched>[];
  /** Of each, those who have answered all questions so far. */
  #showing: readonly Reply<SearchBegun>[];
  #knowing: readonly Reply<Searched>[];

  constructor(turn: Turn, begun: readonly Reply<SearchBegun>[], asked: SearchAsked) {
    this.#turn = turn;
    this.#begun = begun;
    this.#asked = asked;
    this.#shown = largestTogether(begun);
    this.#known = largestTogether(searchedOf(begun));
    this.#showing = this.#shown;
    this.#knowing = this.#known;
  }

  /** Whether all partitions are held by those who have begun. */
  get isWhole(): boolean {
    return (
      missingPartitions(this.#begun, this.#shown).length === 0 &&
      missingPartitions(searchedOf(this.#begun), this.#known).length === 0
    );
  }

  async answer(): Promise<SearchAnswer & Merging> {
    const { query, type, k, idleMs } = this.#asked;
    const [first] = this.#shown;
    const isKnown = this.#known.some(({ answer }) => answer.known);
    const used = isKnown ? [{ query, alike: 1 }] : await this.#alike();
    const point = await this.#point(used);
    const shows = first?.answer.shows ?? [];
    const holds = this.#shown.some(({ answer }) => answer.holds);
    const queries = point === undefined ? [] : movedByEach(point, shows);
    const id = idOf((first ?? this.#begun[0]!).answer);
    const said = { text: idOfEntity(query), known: isKnown, graph: this.#searched.graph, used };
    if (!holds || queries.length === 0) {
      const popular = { ...id, type, idleMs, known: holds, count: k };
      const list = this.#list(await this.#turn.all(this.#shown, 'popular-type', popular));
      const items = list.items.map(({ entity }) => ({ entity, score: null }));
      return { items, ...this.#said(list), query: said, fallback: 'popular' };
    }
    const asked = queries.map(({ vector, weight, of: { relation, scorer, beta } }) => ({
      ...{ vector, weight, relation, scorer, beta },
    }));
    const look = { ...id, type, queries: asked, leftOut: [], idleMs, count: k };
    const list = this.#list(await this.#turn.all(this.#shown, 'top', look));
    const items = list.items.map(({ entity, score }) => ({ entity, score }));
    return { items, ...this.#said(list), query: said, fallback: null };
  }

  #list(replies: Parameters<typeof bestOf>[3]): MergedList<SearchBegun> {
    return bestOf(this.#turn, this.#shown, this.#asked.k, replies);
  }

  /** The graph that knows of searches. */
  get #searched(): Searched {
    return (this.#known[0]?.answer ?? this.#begun[0]?.answer.searched)!;
  }

  #said({ together }: MergedList<SearchBegun>) {
    const head = headOf(this.#begun, repliesOf(together, this.#showing));
    const searched = headOf(searchedOf(this.#begun), this.#knowing);
    const sum = (what: 'erased' | 'idle') =>
      together.reduce((total, { answer }) => total + answer.filtered[what], 0);
    const stale = [head.staleSince, searched.staleSince].filter((since) => since !== null);
    return {
      ...head,
      staleSince: stale.length === 0 ? null : Math.min(...stale),
      filtered: { erased: sum('erased'), idle: sum('idle') },
      partial: head.partial || searched.partial,
      missingPartitions: [...new Set([...head.missingPartitions, ...searched.missingPartitions])].sort(
        (a, b) => a - b,
      ),
    };
  }

  /** The known queries most alike, by what their parts tell among the texts of all shards. */
  async #alike(): Promise<UsedQuery[]> {
    const text = idOfEntity(this.#asked.query);
    const asked = [...trigramsOf(text)];
    const weights = weightsOf(
      asked,
      this.#known.map(({ answer }) => answer),
    );
    const id = idOf(this.#searched);
    const trigrams = asked.map((trigram) => [trigram, weights(trigram)] as const);
    const sharing = await this.#turn.all(this.#known, 'alike-texts', { ...id, trigrams }, SHARE);
    this.#heardOf(sharing);
    const texts = mostSharing(sharing.flatMap(({ answer }) => answer.texts)).map((each) => each.text);
    if (texts.length === 0) return [];
    const all = [...new Set([...asked, ...texts.flatMap((each) => [...trigramsOf(each)])])];
    const counts = await this.#turn.all(this.#known, 'trigram-counts', { ...id, trigrams: all }, SHARE);
    this.#heardOf(counts);
    const weightOf = weightsOf(
      all,
      counts.map(({ answer }) => answer),
    );
    return usedOf(mostAlike(text, texts, weightOf, MOST_USED, LEAST_ALIKE));
  }

  /** The mean of the points of the queries; undefined where none has a point. */
  async #point(used: readonly UsedQuery[]): Promise<Float64Array | undefined> {
    const [first] = this.#shown;
    if (first === undefined || used.length === 0) return undefined;
    const { query: _, ...asked } = this.#asked;
    const question = {
      ...{ shown: idOf(first.answer), searched: idOf(this.#searched), type: asked.type },
      ...{ graph: asked.graph, queries: used.map(({ query }) => query) },
    };
    const replies = await this.#turn.all(this.#everyone, 'searchers', question, SHARE);
    this.#heardOf(replies);
    this.#showing = repliesOf(this.#showing, replies);
    const found = new Map(replies.flatMap(({ answer }) => answer.vectors));
    const points: { point: Float64Array; weight: number }[] = [];
    for (const [i, { alike }] of used.entries()) {
      const searchers = replies[0]?.answer.of[i]?.searchers ?? [];
      const vector = replies.flatMap(({ answer }) => answer.of[i]?.vector ?? [])[0];
      const point = middleOf(searchers, found) ?? (await this.#standIns(vector));
      if (point !== undefined) points.push({ point, weight: alike });
    }
    return meanOf(points);
  }

  /** Everybody whose vectors of either graph are asked for. */
  get #everyone(): readonly { readonly link: Reply<unknown>['link'] }[] {
    const links = new Set([...this.#shown, ...this.#known].map(({ link }) => link));
    return [...links].map((link) => ({ link }));
  }

  /** The query's vector moved to where its users are; in another graph, the middle of the users who are nearest to it. */
  async #standIns(vector: Float32Array | undefined): Promise<Float64Array | undefined> {
    const { back, graph } = this.#searched;
    if (vector === undefined || back === undefined) return undefined;
    const moved = movedOne(vector, back.vector);
    const shown = this.#shown[0]!.answer;
    if (graph === shown.graph) return moved;
    const { relation, scorer, beta } = back;
    const queries = [{ vector: moved, weight: 1, relation, scorer, beta }];
    const look = { ...idOf(this.#searched), type: USER, queries, leftOut: [], count: STAND_INS };
    const near = await this.#turn.all(this.#known, 'top', look, SHARE);
    this.#heardOf(near);
    const users = bestOf(this.#turn, this.#known, STAND_INS, near).items.map(({ entity }) => entity);
    const question = { ...idOf(shown), type: USER, entities: users };
    const vectors = await this.#turn.all(this.#shown, 'vectors', question, SHARE);
    this.#showing = repliesOf(this.#showing, vectors);
    return middleOf(users, new Map(vectors.flatMap(({ answer }) => answer.vectors)));
  }

  #heardOf(replies: readonly Reply<unknown>[]): void {
    this.#knowing = repliesOf(this.#knowing, replies);
  }
}

function searchedOf(begun: readonly Reply<SearchBegun>[]): Reply<Searched>[] {
  return begun.map(({ link, answer }) => ({ link, answer: answer.searched }));
}

/** What each trigram tells among the texts of all shards. counts: of each shard, in the order of the trigrams. */
function weightsOf(
  trigrams: readonly string[],
  parts: readonly { readonly texts: number; readonly counts: readonly number[] }[],
): (trigram: string) => number {
  const texts = parts.reduce((sum, part) => sum + part.texts, 0);
  const counts = trigrams.map((_, i) => parts.reduce((sum, part) => sum + (part.counts[i] ?? 0), 0));
  const weights = new Map(trigrams.map((trigram, i) => [trigram, trigramWeight(texts, counts[i]!)]));
  return (trigram) => weights.get(trigram) ?? 0;
}

/** The mean of the users' vectors; undefined where none has one. */
function middleOf(
  users: readonly EntityKey[],
  vectors: ReadonlyMap<EntityKey, Float32Array>,
): Float64Array | undefined {
  return meanOf(users.flatMap((user) => vectors.get(user) ?? []).map((point) => ({ point, weight: 1 })));
}
