import type { EntityIds } from '../entity-ids.ts';
import { EdgeLists } from './edge-lists.ts';

/** Sources of one target that are remembered. */
const MOST_OF_ONE = 100;
const QUEUE = 0;
const KIND = 0;

/**
 * The sources of the newest edges to a target, such as the users who searched a query lately. They are bounded. A target forgets the
 * source that was heard of first. When all targets have too many, the target that was quiet the longest forgets all of its sources.
 */
export class RecentSources {
  readonly #lists: EdgeLists;
  readonly #most: number;
  /** Sources remembered, of all targets. */
  #size = 0;

  /** most: sources of all targets. */
  constructor(ids: EntityIds, most: number) {
    this.#lists = new EdgeLists(ids);
    this.#most = most;
  }

  /** The sources of a target and when their newest edge was, those heard of last at the end. */
  of(target: number): { readonly source: number; readonly at: number }[] {
    const records = this.#lists.recordsOf(this.#lists.find(target));
    return Array.from({ length: records.length }, (_, i) => ({
      source: records.other(i),
      at: records.at(i),
    }));
  }

  add(target: number, source: number, at: number): void {
    const lists = this.#lists;
    const list = lists.open(target);
    lists.toEnd(list, QUEUE);
    const known = lists.indexOf(list, source, KIND);
    lists.add(list, source, KIND, at);
    if (known >= 0) lists.remove(list, known);
    else this.#size++;
    if (lists.lengthOf(list) > MOST_OF_ONE) {
      lists.remove(list, 0);
      this.#size--;
    }
    while (this.#size > this.#most) {
      const quietest = lists.first(QUEUE);
      this.#size -= lists.lengthOf(quietest);
      lists.close(quietest);
    }
  }

  delete(target: number, source: number): void {
    const list = this.#lists.find(target);
    const known = this.#lists.indexOf(list, source, KIND);
    if (known < 0) return;
    this.#lists.remove(list, known);
    this.#size--;
    if (this.#lists.lengthOf(list) === 0) this.#lists.close(list);
  }
}
