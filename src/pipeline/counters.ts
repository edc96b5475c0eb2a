import type { Head } from '../graph/head.ts';
import type { SourceRecord } from './ports.ts';

/** Rejected records that are remembered, and bytes of each. */
const REMEMBERED = 20;
const PREVIEW_BYTES = 300;

/** A record that could not be used, for people to look at. */
export interface Rejected {
  readonly code: string;
  readonly message: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** The log's time of the record, epoch ms. */
  readonly timestamp: number;
  /** The first bytes of the value; null for a tombstone. */
  readonly preview: Buffer | null;
}

/** Counts of what was read. Every commit writes them, apart from the details of rejected records. */
export class Counters {
  readonly events: Head['events'];
  /** Live edges by relation. */
  readonly edges: Record<string, number>;
  /** Newest event time, epoch ms. */
  watermark: number;
  /** The newest rejected records, newest last. */
  readonly rejected: Rejected[] = [];

  constructor(head?: Pick<Head, 'events' | 'edges' | 'watermark'>) {
    this.events = head ? { ...head.events } : { consumed: 0, rejected: 0, duplicate: 0, late: 0 };
    this.edges = { ...head?.edges };
    this.watermark = head?.watermark ?? 0;
  }

  reject({ code, message }: { code: string; message: string }, record: SourceRecord): void {
    const { topic, partition, offset, timestamp, value } = record;
    // A copy: the value is a part of its whole batch, which would stay in memory.
    const preview = value && Buffer.from(value.subarray(0, PREVIEW_BYTES));
    this.rejected.push({ code, message, topic, partition, offset, timestamp, preview });
    if (this.rejected.length > REMEMBERED) this.rejected.shift();
  }

  edgeChanged(relation: string, before: boolean, now: boolean): void {
    this.edges[relation] = (this.edges[relation] ?? 0) + Number(now) - Number(before);
  }
}
