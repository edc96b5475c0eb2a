import type { Head } from '../graph/head.ts';

/** What is counted as records are read. All but the reasons is part of every commit. */
export class Counters {
  readonly events: Head['events'];
  /** Live edges by relation. */
  readonly edges: Record<string, number>;
  /** Newest event time, epoch ms. */
  watermark: number;
  /** Rejected records by reason, since this process began. */
  readonly reasons = new Map<string, number>();

  constructor(head?: Pick<Head, 'events' | 'edges' | 'watermark'>) {
    this.events = head ? { ...head.events } : { consumed: 0, rejected: 0, duplicate: 0, late: 0 };
    this.edges = { ...head?.edges };
    this.watermark = head?.watermark ?? 0;
  }

  reject(code: string): void {
    this.reasons.set(code, (this.reasons.get(code) ?? 0) + 1);
  }

  edgeChanged(relation: string, before: boolean, now: boolean): void {
    this.edges[relation] = (this.edges[relation] ?? 0) + Number(now) - Number(before);
  }
}
