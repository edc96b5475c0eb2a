import type { SurfaceName } from './surfaces.ts';

/** How far a graph is that is served. Times are epoch ms. */
export interface GraphStatus {
  readonly graph: string;
  readonly surfaces: readonly SurfaceName[];
  readonly space: string;
  readonly step: number;
  /** Since when the brokers are out of reach; null while they answer. */
  readonly staleSince: number | null;
  /** Of the newest event that is in the vectors, and of the newest one that was read. */
  readonly vectorsAsOf: number;
  readonly eventsAsOf: number;
  /** By entity type. */
  readonly vectors: Readonly<Record<string, number>>;
  /** Shares of what the topics held at the start. */
  readonly read: { readonly vectors: number; readonly events: number };
}

/** The status of a graph whose vectors several processes hold, each of which reads all events. */
export function statusTogether(parts: readonly [GraphStatus, ...GraphStatus[]]): GraphStatus {
  const [first] = parts;
  const stale = parts.flatMap(({ staleSince }) => staleSince ?? []);
  const vectors: Record<string, number> = {};
  for (const part of parts)
    for (const [type, count] of Object.entries(part.vectors)) vectors[type] = (vectors[type] ?? 0) + count;
  return {
    graph: first.graph,
    surfaces: first.surfaces,
    space: parts.find(({ space }) => space !== '')?.space ?? '',
    step: Math.max(...parts.map(({ step }) => step)),
    staleSince: stale.length === 0 ? null : Math.min(...stale),
    vectorsAsOf: Math.max(...parts.map(({ vectorsAsOf }) => vectorsAsOf)),
    eventsAsOf: Math.min(...parts.map(({ eventsAsOf }) => eventsAsOf)),
    vectors,
    read: {
      vectors: Math.min(...parts.map(({ read }) => read.vectors)),
      events: Math.min(...parts.map(({ read }) => read.events)),
    },
  };
}
