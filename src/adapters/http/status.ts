import { z } from 'zod';
import type { EntityDescription } from '../../graph/describe-entity.ts';
import type { Progress } from '../../pipeline/progress.ts';
import type { PartitionLag } from '../../pipeline/reading/lag.ts';
import type { Rejected, RejectedBy } from '../../pipeline/rejections.ts';

/* Bodies of the dashboard server's answers, and the queries that ask for them. Times are epoch ms, sizes are bytes. */

export interface Readiness {
  readonly graph: string;
  readonly ready: boolean;
  readonly phase: string;
  /** Why the graph is not ready, one phrase each. */
  readonly reasons: readonly string[];
}

/** Body of /readyz, with 200 when ready and 503 otherwise. */
export interface ReadinessReport {
  readonly ready: boolean;
  readonly graphs: readonly Readiness[];
}

/** Everything that the updater of a graph says of its progress, but for the contents of rejected records. */
export interface GraphStatus extends Readiness, Omit<Progress, 'graph' | 'phase' | 'rejected'> {
  readonly kernel: string;
  readonly fingerprint: string;
  /** Rows that the table may hold. */
  readonly maxRows: number;
  readonly lag: readonly PartitionLag[];
  readonly disk: { readonly used: number; readonly free: number; readonly size: number } | undefined;
}

/** The router of a cut graph in this process. Counts are since the process began. */
export interface RouterStatus extends Readiness {
  /** Partitions of event topics that this process routes; undefined while it has no part of the group. */
  readonly partitions: number | undefined;
  readonly events: number;
  readonly rejectedBy: RejectedBy;
  /** Events sent to shards; one that concerns two shards counts twice. */
  readonly sent: number;
  readonly sentBytes: number;
  readonly retries: number;
  /** What not every shard has been sent, of the partitions of this process. */
  readonly lag: readonly Omit<PartitionLag, 'seconds'>[];
}

/** Body of /api/status and of each event of /api/stream. */
export interface Status {
  readonly version: string;
  readonly now: number;
  readonly startedAt: number;
  readonly memoryBytes: number;
  readonly headline: {
    readonly level: 'ok' | 'warn' | 'bad';
    readonly text: string;
    /** Section of docs/runbook.md. */
    readonly step?: string;
  };
  /** Warnings and errors of the log, the newest last. */
  readonly faults: readonly {
    readonly at: number;
    readonly level: 'warn' | 'error';
    readonly text: string;
    readonly times: number;
  }[];
  readonly graphs: readonly GraphStatus[];
  /** One for each cut graph of the process. */
  readonly routers: readonly RouterStatus[];
}

const graphName = z.string().min(1).max(100);

export const ofGraph = z.strictObject({ graph: graphName });
export const ofHistory = z.strictObject({ graph: graphName, range: z.enum(['hour', 'day']).default('hour') });
export const ofRejected = z.strictObject({ graph: graphName, values: z.enum(['yes', 'no']).default('no') });
export const ofEntity = z.strictObject({ graph: graphName, id: z.string().min(3).max(600) });

/** Body of /api/history: columns of equal length, oldest point first; null for an unknown value. */
export interface HistoryView {
  readonly at: readonly number[];
  readonly curves: Readonly<Record<string, readonly (number | null)[]>>;
}

/** Body of /api/rejected: the newest rejected records, newest first. */
export type RejectedView = readonly (Omit<Rejected, 'message' | 'preview'> & {
  /** Present only with values=yes, because the message quotes the value. */
  readonly message?: string;
  /** Present only with values=yes: the first bytes as text; null for a tombstone. */
  readonly value?: string | null;
})[];

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
