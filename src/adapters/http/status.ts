import type { Progress } from '../../pipeline/progress.ts';
import type { PartitionLag } from '../../pipeline/reading/lag.ts';
import type { RejectedBy } from '../../pipeline/rejections.ts';

/* Bodies of the health and status answers. Times are epoch ms, sizes are bytes. */

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
  readonly lag: readonly { readonly topic: string; readonly partition: number; readonly records: number }[];
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
