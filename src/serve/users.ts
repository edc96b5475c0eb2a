import type { EntityKey } from '../graph/entity.ts';
import type { OwnEdge } from './activity.ts';
import type { ServedGraph } from './served-graph.ts';

const USER = 'user';

/** What a user did of late, the newest first. */
export interface RecentAnswer {
  readonly user: EntityKey;
  readonly items: readonly (Omit<OwnEdge, 'target'> & { readonly entity: EntityKey })[];
}

export interface UsersOptions {
  readonly graphs: readonly ServedGraph[];
  /** A number from 0 to below 1. */
  random(): number;
}

/** What is known of users themselves: who there is, and what they did of late. */
export class Users {
  readonly #options: UsersOptions;

  constructor(options: UsersOptions) {
    this.#options = options;
  }

  /** A user with a vector in the first graph that has any; undefined where none has. */
  random(): EntityKey | undefined {
    for (const { spaces } of this.#options.graphs) {
      const user = spaces.current?.table(USER)?.nameAt(this.#options.random());
      if (user !== undefined) return user;
    }
    return undefined;
  }

  /** The user's own edges, the newest first; an edge that several graphs have, once. */
  recent(user: EntityKey, k: number): OwnEdge[] {
    const found = new Map<string, OwnEdge>();
    for (const { activity } of this.#options.graphs)
      for (const edge of activity.recent(user, k)) {
        const name = `${edge.relation} ${edge.target}`;
        if ((found.get(name)?.at ?? 0) < edge.at) found.set(name, edge);
      }
    // Each graph's are in order: sorting keeps the order of those of one time.
    return [...found.values()].sort((a, b) => b.at - a.at).slice(0, k);
  }

  /** As `recent`, as it is told to those who ask. */
  recentAnswer(user: EntityKey, k: number): RecentAnswer {
    return { user, items: this.recent(user, k).map(({ target: entity, ...edge }) => ({ entity, ...edge })) };
  }
}
