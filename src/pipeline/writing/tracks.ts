import { placeOf } from '../../graph/committed-rows.ts';
import type { EntityKey } from '../../graph/entity.ts';
import type { EntityIndex } from '../../graph/entity-index.ts';
import type { Checkpoint } from '../training/trainer.ts';
import { Track } from './track.ts';

/** Entities that are followed at a time. */
export const MOST_TRACKS = 200;

/** What a commit says of its vectors beyond the checkpoint. */
export interface Committed {
  /** When it was written, epoch ms. */
  readonly at: number;
  /** Run of training they come from. */
  readonly space: string;
  /** Added to the checkpoint's step for that of the headers. */
  readonly stepBase: number;
  readonly dim: number;
}

/**
 * The drift of the entities of a graph that were looked up last: each publication that moves one is noted, and nothing
 * of any other. Bounded: whoever was not looked up for longest makes room.
 */
export class Tracks {
  /** By entity, the one looked up last at the end. */
  readonly #tracks = new Map<EntityKey, Track>();
  /** Something is there that `changed = false` did not know of. */
  changed = false;

  /** The track of an entity that is looked up now; it begins where there is none. at: epoch ms. */
  look(key: EntityKey, at: number): Track {
    const known = this.#tracks.get(key);
    const track = known ?? new Track({ since: at });
    this.put(key, track);
    this.changed ||= known === undefined;
    return track;
  }

  /** The same where there is one. */
  again(key: EntityKey): Track | undefined {
    const track = this.#tracks.get(key);
    if (track !== undefined) this.put(key, track);
    return track;
  }

  /** Puts a track in as the one looked up last. */
  put(key: EntityKey, track: Track): void {
    this.#tracks.delete(key);
    this.#tracks.set(key, track);
    if (this.#tracks.size <= MOST_TRACKS) return;
    for (const [oldest] of this.#tracks) {
      this.#tracks.delete(oldest);
      break;
    }
  }

  /** The one looked up last at the end. */
  entries(): IterableIterator<[EntityKey, Track]> {
    return this.#tracks.entries();
  }

  /** Notes what a commit puts up for publishing of those that are followed. index: at or ahead of the commit. */
  add({ rows, floats, publish, moved, step }: Checkpoint, index: EntityIndex, commit: Committed): void {
    const { at, space, stepBase, dim } = commit;
    const when = { at, step: stepBase + step };
    for (const [key, track] of this.#tracks) {
      const row = index.find(key);
      if (row === undefined) {
        // Erased: not even its name stays.
        this.#tracks.delete(key);
        this.changed = true;
        continue;
      }
      if (track.enter(space, when)) this.changed = true;
      const i = placeOf(rows, row);
      if (i === -1 || publish[i] !== 1) continue;
      const from = i * (dim + 2);
      track.add(floats.subarray(from, from + dim), { ...when, move: moved[i] ?? Number.NaN });
      this.changed = true;
    }
  }
}
