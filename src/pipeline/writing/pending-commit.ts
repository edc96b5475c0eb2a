import type { EdgeChange, EdgeName } from '../../graph/edge.ts';
import type { EntityKey } from '../../graph/entity.ts';
import type { Message } from '../ports.ts';
import type { Pace } from '../tuning.ts';

/** What has happened since the last commit and is not the trainer's: edges, entities, erasures, dead letters. */
export class PendingCommit {
  readonly edges = new Map<string, EdgeChange>();
  readonly erasedEdges = new Map<string, EdgeName>();
  /** Rows of entities that an event named. */
  readonly touched = new Set<number>();
  /** By row: an entity can be erased, named again and erased once more, each time with a row of its own. */
  readonly erasedEntities = new Map<number, EntityKey>();
  readonly erasures = new Map<EntityKey, number>();
  /** To be published whether or not they moved. */
  due: readonly EntityKey[] = [];
  readonly deadLetters: Message[] = [];
  /** Of the dead letters' values. */
  deadLetterBytes = 0;
  /** Records read; 0: nothing to commit. */
  records = 0;
  /** Edges handed to the trainer. */
  trained = 0;
  /** Arrival of the oldest record in it, epoch ms. */
  since: number | undefined;

  /** Changes and dead letters held until it is written. */
  get held(): number {
    return this.edges.size + this.erasedEdges.size + this.erasures.size + this.deadLetters.length;
  }

  /** A stream that trains little, of removals or bad records, must not pile up behind a slow write. */
  isFull({ commitEdges, batchEdges, queueBytes }: Pace): boolean {
    return this.held > commitEdges + batchEdges || this.deadLetterBytes >= queueBytes;
  }

  putDeadLetter(letter: Message): void {
    this.deadLetters.push(letter);
    this.deadLetterBytes += letter.value?.length ?? 0;
  }

  putEdge(id: string, change: EdgeChange): void {
    this.erasedEdges.delete(id);
    this.edges.set(id, change);
  }

  eraseEdge(id: string, edge: EdgeName): void {
    this.edges.delete(id);
    this.erasedEdges.set(id, edge);
  }
}
