import type { Head } from '../graph/head.ts';

/** Counts of what was read. Every commit writes them. */
export class Counters {
  readonly events: Head['events'];
  /** Live edges by relation. */
  readonly edges: Record<string, number>;
  /** Newest event time, epoch ms. */
  watermark: number;

  constructor(head?: Pick<Head, 'events' | 'edges' | 'watermark'>) {
    this.events = head ? { ...head.events } : { consumed: 0, rejected: 0, duplicate: 0, late: 0 };
    this.edges = { ...head?.edges };
    this.watermark = head?.watermark ?? 0;
  }

  edgeChanged(relation: string, before: boolean, now: boolean): void {
    this.edges[relation] = (this.edges[relation] ?? 0) + Number(now) - Number(before);
  }
}
