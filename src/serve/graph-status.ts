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
