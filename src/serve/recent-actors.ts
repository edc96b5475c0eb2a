import type { EntityKey } from '../graph/entity.ts';

/** Actors of one target that are remembered. */
export const MOST_ACTORS = 50;

/**
 * Who did something with a target of late, such as who liked a tweet, whatever it was. Bounded: of one target those heard of
 * first are forgotten first, of all those of the target that was quiet the longest. An actor may have taken back what it did, or
 * be erased: whoever asks looks at the actor's own edges.
 */
export class RecentActors {
  readonly #most: number;
  /** The target heard of last is last; of a target the actor heard of last. Most targets have one, which needs no array. */
  readonly #actors = new Map<EntityKey, EntityKey | EntityKey[]>();
  #size = 0;

  /** most: actors of all targets. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Actors remembered, of all targets. */
  get size(): number {
    return this.#size;
  }

  /** The actors of a target, those heard of last at the end. */
  of(target: EntityKey): readonly EntityKey[] {
    return listOf(this.#actors.get(target));
  }

  add(target: EntityKey, actor: EntityKey): void {
    const known = this.#actors.get(target);
    this.#actors.delete(target);
    if (known === undefined || known === actor) {
      this.#actors.set(target, actor);
      if (known === undefined) this.#size++;
    } else {
      const actors = listOf(known);
      const place = actors.indexOf(actor);
      if (place >= 0) actors.splice(place, 1);
      else if (actors.length === MOST_ACTORS) actors.shift();
      else this.#size++;
      actors.push(actor);
      this.#actors.set(target, actors);
    }
    for (const [quietest, actors] of this.#actors) {
      if (this.#size <= this.#most) return;
      this.#actors.delete(quietest);
      this.#size -= listOf(actors).length;
    }
  }
}

function listOf(actors: EntityKey | EntityKey[] | undefined): EntityKey[] {
  if (actors === undefined) return [];
  return typeof actors === 'string' ? [actors] : actors;
}
