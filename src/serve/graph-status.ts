import type { Relation } from '../graph/edge.ts';
import type { Surface } from '../graph/surface.ts';

/** How far a graph is that is served. Times are epoch ms. */
export interface GraphStatus {
  readonly graph: string;
  /** Why nobody should ask it now; none once it is read. */
  readonly reasons: readonly string[];
  /** What lists can be asked for. */
  readonly relations: readonly Relation[];
  readonly surfaces: readonly Pick<Surface, 'name' | 'from' | 'to'>[];
  readonly space: string;
  readonly step: number;
  /** Since when the brokers are out of reach; null while they answer. */
  readonly staleSince: number | null;
  /** Of the newest event that is in the vectors, and of the newest one that was read. */
  readonly vectorsAsOf: number;
  readonly eventsAsOf: number;
  /** From when on all events are known; 0 where the topics still have the first ones. */
  readonly eventsSince: number;
  /** By entity type. */
  readonly vectors: Readonly<Record<string, number>>;
  /** Shares of what the topics held at the start. */
  readonly read: { readonly vectors: number; readonly events: number };
}
