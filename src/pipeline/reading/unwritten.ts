import type { EdgeState } from '../../graph/edge.ts';
import type { EntityKey } from '../../graph/entity.ts';
import type { Layout } from '../../graph/layout.ts';
import type { Message } from '../ports.ts';
import type { Pace } from '../tuning.ts';

/** What has happened since the last commit and is not the trainer's: edges, entities, erasures, dead letters. */
export class PendingCommit {
  /** Commits of a process are numbered from 1. */
  readonly number: number;
  /** By `Layout.edgeId`: the last that was said of the edge. null: an erasure deletes it. */
  readonly edges = new Map<string, EdgeState | null>();
  /** Rows of entities that an event named. */
  readonly touched = new Set<number>();
  readonly erasedEntities = new Set<EntityKey>();
  readonly erasures = new Map<EntityKey, number>();
  /** Entities to be published whether or not they moved. */
  due: readonly EntityKey[] = [];
  /** What the trainer was given, packed: the journal's part of it. */
  readonly batches: Uint8Array[] = [];
  readonly deadLetters: Message[] = [];
  /** Bytes of the dead letters' values. */
  deadLetterBytes = 0;
  /** Records read; 0: nothing to commit. */
  records = 0;
  /** Edges handed to the trainer, or left to the shard that trains them. */
  trained = 0;
  /** Arrival of the oldest record in it, epoch ms. */
  since: number | undefined;

  constructor(number: number) {
    this.number = number;
  }

  /** Changes and dead letters held until it is written. */
  get held(): number {
    return this.edges.size + this.erasures.size + this.deadLetters.length;
  }

  /** A stream that trains little, of removals or bad records, must not pile up behind a slow write. */
  isFull({ commitEdges, batchEdges, queueBytes }: Pace): boolean {
    return this.held > commitEdges + batchEdges || this.deadLetterBytes >= queueBytes;
  }

  putDeadLetter(letter: Message): void {
    this.deadLetters.push(letter);
    this.deadLetterBytes += letter.value?.length ?? 0;
  }
}

/**
 * The open commit and those on their way to the store. Their edges lie over what the store holds. An edge stays until
 * its commit is written and the next reads from the store begin: a value read before would otherwise be taken for the
 * newest.
 */
export class Unwritten {
  open = new PendingCommit(1);
  /** The open commit first, then those on their way, newest first. */
  readonly #layers = [this.open];
  #written = 0;

  /** null: erased; undefined: the store knows. */
  get(id: string): EdgeState | null | undefined {
    for (const { edges } of this.#layers) {
      const edge = edges.get(id);
      if (edge !== undefined) return edge;
    }
    return undefined;
  }

  /** Edges of an entity, the newest state of each; null: erased. A walk over all: erasures are rare. */
  *of(entity: EntityKey, layout: Layout): Iterable<[id: string, state: EdgeState | null]> {
    const touches = layout.touching(entity);
    const seen = new Set<string>();
    for (const { edges } of this.#layers) {
      for (const [id, state] of edges) {
        if (!touches(id) || seen.has(id)) continue;
        seen.add(id);
        yield [id, state];
      }
    }
  }

  /** Ends the open commit, which is to be written now, and opens the next. */
  close(): PendingCommit {
    const closed = this.open;
    this.open = new PendingCommit(closed.number + 1);
    this.#layers.unshift(this.open);
    return closed;
  }

  written(commit: number): void {
    this.#written = commit;
  }

  /** Lets go of what is written. To be called right before the store is read. */
  prune(): void {
    while (this.#layers.at(-1)!.number <= this.#written) this.#layers.pop();
  }
}
