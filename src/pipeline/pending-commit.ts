import type { EdgeChange, EdgeName } from '../graph/edge.ts';
import type { EntityKey } from '../graph/entity.ts';
import type { Message } from './ports.ts';

/** What has happened since the last commit and is not the trainer's: edges, entities, erasures, dead letters. */
export class PendingCommit {
  readonly edges = new Map<string, EdgeChange>();
  readonly erasedEdges = new Map<string, EdgeName>();
  /** Rows of entities that an event named. */
  readonly touched = new Set<number>();
  readonly erasedEntities = new Map<EntityKey, number>();
  readonly erasures = new Map<EntityKey, number>();
  readonly deadLetters: Message[] = [];
  /** Records read; 0: nothing to commit. */
  records = 0;
  /** Edges handed to the trainer. */
  trained = 0;
  /** Arrival of the oldest record in it, epoch ms. */
  since: number | undefined;

  putEdge(id: string, change: EdgeChange): void {
    this.erasedEdges.delete(id);
    this.edges.set(id, change);
  }

  eraseEdge(id: string, edge: EdgeName): void {
    this.edges.delete(id);
    this.erasedEdges.set(id, edge);
  }
}
