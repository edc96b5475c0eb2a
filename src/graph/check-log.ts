import { type Finding, Findings } from './check-findings.ts';
import type { Head } from './head.ts';

/** What a log holds of one partition: the first offset kept and the one after the last. */
export interface HeldRange {
  readonly topic: string;
  readonly partition: number;
  readonly low: number;
  readonly high: number;
}

/** Whether the store's offsets can be read on from. held: every partition of the topics it has read. */
export function checkLog({ offsets }: Head, held: readonly HeldRange[]): Finding[] {
  const findings = new Findings();
  for (const [topic, partitions] of Object.entries(offsets)) {
    for (const [partition, offset] of Object.entries(partitions)) {
      const range = held.find((each) => each.topic === topic && each.partition === Number(partition));
      const place = `${topic}/${partition}: read up to ${offset}`;
      if (range === undefined) findings.add('offset-beyond', `${place}, there is no such partition`);
      else if (offset > range.high) findings.add('offset-beyond', `${place}, the log ends at ${range.high}`);
      else if (offset < range.low) findings.add('offset-gone', `${place}, the log begins at ${range.low}`);
    }
  }
  return findings.list();
}
