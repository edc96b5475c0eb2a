import { z } from 'zod';
import type { EntityDescription } from '../../graph/describe-entity.ts';

/* Bodies of the dashboard's answers about one graph, and the queries that ask for them. Times are epoch ms. */

const graphName = z.string().min(1).max(100);
const entityId = z.string().min(3).max(600);

export const ofGraph = z.strictObject({ graph: graphName });
export const ofHistory = z.strictObject({ graph: graphName, range: z.enum(['hour', 'day']).default('hour') });
export const ofRejected = z.strictObject({ graph: graphName, values: z.enum(['yes', 'no']).default('no') });
export const ofEntity = z.strictObject({ graph: graphName, id: entityId });

/** Body of /api/history: columns of equal length, oldest point first; null for an unknown value. */
export interface HistoryView {
  readonly at: readonly number[];
  readonly curves: Readonly<Record<string, readonly (number | null)[]>>;
}

/** Body of /api/rejected: the newest rejected records, newest first. */
export type RejectedView = readonly {
  readonly code: string;
  /** Present only with values=yes, because the message quotes the value. */
  readonly message?: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  /** Present only with values=yes: the first bytes as text; null for a tombstone. */
  readonly value?: string | null;
}[];

/** Body of /api/map: a sample of entities in two dimensions. */
export interface MapView {
  readonly at: number;
  readonly points: readonly {
    readonly entity: string;
    readonly x: number;
    readonly y: number;
    readonly group?: string | undefined;
  }[];
}

/** Answers to these questions; undefined when there is no such graph or entity. */
export interface Views {
  history(graph: string, range: 'hour' | 'day'): HistoryView | undefined;
  rejected(graph: string, values: boolean): RejectedView | undefined;
  entity(graph: string, id: string): Promise<EntityDescription | undefined>;
  map(graph: string): Promise<MapView | undefined>;
}
