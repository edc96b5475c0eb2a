import type { BadEvent } from '../../errors/errors.ts';
import type { Relation } from '../../graph/edge.ts';
import type { EventLog, SourceRecord, Stretch } from '../../pipeline/ports.ts';
import { merging } from '../../replay/merge.ts';
import { partitionName } from '../../replay/range.ts';
import { EdgeStream } from './edge-stream.ts';

/** Records read before other work gets its turn. */
const SLICE = 1024;

/** Records of one topic that can't be used for one reason, and the first of them. */
export interface Unusable {
  readonly topic: string;
  readonly code: string;
  readonly records: number;
  readonly first: { readonly partition: number; readonly offset: number; readonly reason: string };
}

/** Reads stretches in the order of a replay. content: puts it into a record. turn: awaited after every slice; it may throw to end. */
export async function readStream(
  log: Pick<EventLog, 'read'>,
  stretches: readonly Stretch[],
  relations: readonly Relation[],
  content: (record: SourceRecord) => SourceRecord,
  turn: (records: number) => Promise<void>,
) {
  const stream = new EdgeStream(relations);
  const unusable = new Map<string, Unusable>();
  const partitions: number[] = [];
  const offsets: number[] = [];
  const events: number[] = [];
  const places = new Map(stretches.map((stretch, place) => [partitionName(stretch), place]));
  const reading = await log.read(stretches.filter(({ from, until }) => from < until));
  try {
    const take = merging(reading.cursors, content);
    for (;;) {
      const { records } = await take(SLICE);
      if (records.length === 0) break;
      for (const record of records) {
        const problem = record.content?.problem;
        if (problem !== undefined) count(unusable, record, problem);
        partitions.push(places.get(partitionName(record)) ?? 0);
        offsets.push(record.offset);
        events.push(stream.length);
        stream.add(record.content?.changes ?? []);
      }
      await turn(offsets.length);
    }
  } finally {
    await reading.close();
  }
  return {
    stream,
    records: offsets.length,
    unusable: [...unusable.values()],
    /** The stretches up to before a record, and how many events come before the record. record: 0 … records. */
    before: (record: number) => {
      const untils = stretches.map(({ from }) => from);
      for (let i = 0; i < record; i++) untils[partitions[i]!] = offsets[i]! + 1;
      return {
        stretches: stretches.map((stretch, place) => ({ ...stretch, until: untils[place]! })),
        events: events[record] ?? stream.length,
      };
    },
  };
}

function count(
  unusable: Map<string, Unusable>,
  { topic, partition, offset }: SourceRecord,
  { code, message: reason }: BadEvent,
): void {
  const name = `${topic} ${code}`;
  const known = unusable.get(name) ?? { topic, code, records: 0, first: { partition, offset, reason } };
  unusable.set(name, { ...known, records: known.records + 1 });
}
