import type { Head } from '../graph/head.ts';
import type { SourceRecord } from './ports.ts';

/** Rejected records remembered, and bytes of each. */
const REMEMBERED = 20;
const PREVIEW_BYTES = 300;

/** A record that could not be used, as it is shown to people. */
export interface Rejected {
  readonly code: string;
  readonly message: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** The log's own time for it, epoch ms. */
  readonly timestamp: number;
  /** Its first bytes; null for a tombstone. */
  readonly preview: Buffer | null;
}

/** What is counted as records are read. All but what is known of rejected ones is part of every commit. */
export class Counters {
  readonly events: Head['events'];
  /** Live edges by relation. */
  readonly edges: Record<string, number>;
  /** Newest event time, epoch ms. */
  watermark: number;
  /** Rejected records by reason, since this process began. */
  readonly reasons = new Map<string, number>();
  /** The newest of them, newest last. */
  readonly rejected: Rejected[] = [];

  constructor(head?: Pick<Head, 'events' | 'edges' | 'watermark'>) {
    this.events = head ? { ...head.events } : { consumed: 0, rejected: 0, duplicate: 0, late: 0 };
    this.edges = { ...head?.edges };
    this.watermark = head?.watermark ?? 0;
  }

  reject({ code, message }: { code: string; message: string }, record: SourceRecord): void {
    this.reasons.set(code, (this.reasons.get(code) ?? 0) + 1);
    const { topic, partition, offset, timestamp, value } = record;
    // A copy: the record's own bytes lie in those of its whole batch.
    const preview = value && Buffer.from(value.subarray(0, PREVIEW_BYTES));
    this.rejected.push({ code, message, topic, partition, offset, timestamp, preview });
    if (this.rejected.length > REMEMBERED) this.rejected.shift();
  }

  edgeChanged(relation: string, before: boolean, now: boolean): void {
    this.edges[relation] = (this.edges[relation] ?? 0) + Number(now) - Number(before);
  }
}
