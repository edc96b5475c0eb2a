import type { EntityKey } from '../graph/entity.ts';
import type { OwnEdge } from './activity.ts';
import { refuseUnknown } from './asked-entities.ts';
import { refuseUnread, type ServedGraph, typesOf, wrongQuestion } from './served-graph.ts';

/** What an entity did lately, the newest first. */
export interface RecentAnswer {
  readonly entity: EntityKey;
  readonly items: readonly (Omit<OwnEdge, 'target'> & { readonly entity: EntityKey })[];
}

export interface EntitiesOptions {
  readonly graphs: readonly ServedGraph[];
  /** A number from 0 to below 1. */
  random(): number;
}

/** What is known of entities themselves: which there are, and what they did lately. */
export class Entities {
  readonly #options: EntitiesOptions;

  constructor(options: EntitiesOptions) {
    this.#options = options;
  }

  /** An entity of the type with a vector, in the first graph that has any; undefined where none has. @throws UsageError for a type that no graph has. */
  random(type: string): EntityKey | undefined {
    const { graphs, random } = this.#options;
    const types = typesOf(graphs);
    if (!types.includes(type))
      throw wrongQuestion('type', `expected one of ${types.join(', ')}, seen ${JSON.stringify(type)}`);
    for (const { spaces } of this.#read()) {
      const entity = spaces.current?.table(type)?.nameAt(random());
      if (entity !== undefined) return entity;
    }
    return undefined;
  }

  /** The entity's own edges, at most `k`; an edge that several graphs have, once. @throws UsageError for a type that no graph has. */
  recent(entity: EntityKey, k: number): RecentAnswer {
    const { graphs } = this.#options;
    refuseUnknown('entity', graphs, entity);
    const found = new Map<string, OwnEdge>();
    for (const { activity } of this.#read())
      for (const edge of activity.recent(entity, k)) {
        const name = `${edge.relation} ${edge.target}`;
        if ((found.get(name)?.at ?? 0) < edge.at) found.set(name, edge);
      }
    // Each graph's are in order: sorting keeps the order of those of one time.
    const edges = [...found.values()].sort((a, b) => b.at - a.at).slice(0, k);
    return { entity, items: edges.map(({ target, ...edge }) => ({ entity: target, ...edge })) };
  }

  /** The graphs that are read. @throws RetryableError `not-read` where none is. */
  #read(): readonly ServedGraph[] {
    const { graphs } = this.#options;
    const read = graphs.filter((graph) => graph.unready().length === 0);
    if (read.length === 0) refuseUnread(...graphs);
    return read;
  }
}
