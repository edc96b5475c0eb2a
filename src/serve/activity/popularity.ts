import type { EntityKey } from '../../graph/entity.ts';
import { PagedNumbers } from '../../graph/paged-numbers.ts';
import { Best } from '../../kernels/scan/best.ts';
import type { EntityIds } from '../entity-ids.ts';

/** In this time, what a like weighs in what is popular falls to a half. */
const HALF_LIFE_MS = 24 * 3_600_000;
/** How long the order of what is popular is kept. */
const POPULAR_MS = 1_000;
/** So many popular entities are put in order first; more of them where an answer has to pass over these. */
const FIRST_POPULAR = 4_096;
/** What is popular goes no further: an answer would hold up all others. A request can exclude 10,000. */
const MOST_POPULAR = 16_384;
const FIRST_SLOTS = 64;
/** To drop an entity that is hardly popular, so many are compared; all but one of the most popular of that number are safe. */
const COMPARED_TO_DROP = 64;

export interface PopularEntity {
  readonly entity: EntityKey;
  /** The logarithm of its weight, as of no certain time. */
  readonly score: number;
}

/** A sum of weights by entity, halved with each half-life. Flat arrays: half a million scores are looked at in a millisecond. */
export class Popularity {
  readonly #ids: EntityIds;
  /** By entity: 1 + its slot, or 0. */
  readonly #slotOf = new PagedNumbers((ids) => new Int32Array(ids));
  #size = 0;
  /** By slot: the entity's id. */
  #entities = new Int32Array(FIRST_SLOTS);
  #weights = new Float64Array(FIRST_SLOTS);
  /** Times of the newest edges, epoch ms: the weights are as of these. */
  #times = new Float64Array(FIRST_SLOTS);
  #scores = new Float64Array(FIRST_SLOTS);
  #order: PopularOrder | undefined;
  /** Where the next comparison of what to drop begins. */
  #next = 0;

  constructor(ids: EntityIds) {
    this.#ids = ids;
  }

  get size(): number {
    return this.#size;
  }

  /** Time of the entity's newest edge, epoch ms. */
  lastOf(entity: number): number | undefined {
    const slot = this.#slotOf.get(entity) - 1;
    return slot < 0 ? undefined : this.#times[slot];
  }

  add(entity: number, at: number, sign: 1 | -1): void {
    const slot = this.#slotOf.get(entity) - 1;
    if (slot < 0) {
      if (sign > 0) this.#set(this.#newSlot(entity), 1, at);
      return;
    }
    const known = this.#times[slot]!;
    const newest = Math.max(known, at);
    const weight = this.#weights[slot]! * decayed(newest - known) + sign * decayed(newest - at);
    // What rounding leaves of nothing is nothing.
    if (weight < 2 ** -40) this.delete(entity);
    else this.#set(slot, weight, newest);
  }

  delete(entity: number): void {
    const slot = this.#slotOf.get(entity) - 1;
    if (slot < 0) return;
    this.#slotOf.set(entity, 0);
    this.#ids.release(entity);
    const last = --this.#size;
    if (slot === last) return;
    const moved = this.#entities[last]!;
    this.#entities[slot] = moved;
    this.#slotOf.set(moved, 1 + slot);
    this.#set(slot, this.#weights[last]!, this.#times[last]!);
  }

  /** Drops the least popular of the next few: to look for the least popular of all would hold up what waits. */
  dropOne(): void {
    const size = this.#size;
    let worst = this.#next % size;
    for (let i = 1; i < COMPARED_TO_DROP; i++) {
      const slot = (this.#next + i) % size;
      if (this.#scores[slot]! < this.#scores[worst]!) worst = slot;
    }
    this.#next = (this.#next + COMPARED_TO_DROP) % size;
    this.delete(this.#entities[worst]!);
  }

  /** The highest score first; of equal scores, the lower name first. No more than the first `MOST_POPULAR`. */
  *inOrder(now: number): Iterable<PopularEntity> {
    const age = now - (this.#order?.madeAt ?? Number.NEGATIVE_INFINITY);
    if (this.#order === undefined || age < 0 || age >= POPULAR_MS)
      this.#order = { madeAt: now, found: [], taken: new Set(), whole: false };
    const order = this.#order;
    for (let i = 0; ; i++) {
      if (i === order.found.length && !order.whole) this.#extend(order);
      const next = order.found[i];
      if (next === undefined) return;
      yield next;
    }
  }

  /** Finds the next of an order. Sums may have changed since the ones before were found: no entity is found twice. */
  #extend(order: PopularOrder): void {
    const { found, taken } = order;
    const count = found.length === 0 ? FIRST_POPULAR : MOST_POPULAR - found.length;
    const next = this.#best(count, found.at(-1)).filter(({ entity }) => !taken.has(entity));
    for (const each of next) {
      found.push(each);
      taken.add(each.entity);
    }
    order.whole = next.length === 0 || found.length >= MOST_POPULAR;
  }

  /** The best `count` that come after one, in order. */
  #best(count: number, after: PopularEntity | undefined): PopularEntity[] {
    const scores = this.#scores;
    const nameOf = (slot: number) => this.#ids.nameOf(this.#entities[slot]!);
    const below = after?.score ?? Number.POSITIVE_INFINITY;
    const isWorse = (a: number, b: number) =>
      scores[a]! < scores[b]! || (scores[a] === scores[b] && nameOf(a) > nameOf(b));
    const best = new Best<number>(count, isWorse);
    // Entities that came last are the first to be looked at: they are likely to be popular, and others are turned away at once.
    for (let slot = this.#size - 1; slot >= 0; slot--) {
      const score = scores[slot]!;
      if (score > below || (after !== undefined && score === below && nameOf(slot) <= after.entity)) continue;
      best.offer(slot);
    }
    const found = best.held.map((slot) => ({ entity: nameOf(slot), score: scores[slot]! }));
    return found.sort((a, b) => b.score - a.score || (a.entity < b.entity ? -1 : 1));
  }

  #newSlot(entity: number): number {
    const slot = this.#size++;
    if (slot === this.#entities.length) {
      this.#entities = new Int32Array(this.#entities.buffer.transfer(8 * slot));
      this.#weights = new Float64Array(this.#weights.buffer.transfer(16 * slot));
      this.#times = new Float64Array(this.#times.buffer.transfer(16 * slot));
      this.#scores = new Float64Array(this.#scores.buffer.transfer(16 * slot));
    }
    this.#entities[slot] = entity;
    this.#slotOf.set(entity, 1 + slot);
    this.#ids.holdAgain(entity);
    return slot;
  }

  #set(slot: number, weight: number, at: number): void {
    this.#weights[slot] = weight;
    this.#times[slot] = at;
    // As a logarithm: no time is so long that the weight becomes 0.
    this.#scores[slot] = Math.log2(weight) + at / HALF_LIFE_MS;
  }
}

/** What is popular, as far as somebody asked for it. */
interface PopularOrder {
  readonly madeAt: number;
  readonly found: PopularEntity[];
  readonly taken: Set<EntityKey>;
  /** No more is to be found. */
  whole: boolean;
}

function decayed(ageMs: number): number {
  return 2 ** (-ageMs / HALF_LIFE_MS);
}
