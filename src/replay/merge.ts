import type { RecordRun, SourceRecord, StretchCursor } from '../pipeline/ports.ts';

/** A partition being merged. head: its next record, with content. records: its last hand-over, from `next` on to be read. */
interface Lane {
  readonly cursor: StretchCursor;
  records: readonly SourceRecord[];
  next: number;
  /** Leader epoch of `records`. */
  epoch: number | undefined;
  head: SourceRecord;
  at: number;
}

export interface Merged {
  readonly records: SourceRecord[];
  /** The leader epoch of each record. */
  readonly epochs: (number | undefined)[];
  /** The ends of stretches that end with these records, as runs without a record. Each stretch is named once. */
  readonly ended: readonly RecordRun[];
}

/**
 * Records of several partitions in one order: the earliest head first by event time, then by topic and partition.
 * Within a partition offsets stay in order, whatever the times. The next record depends on the positions of the
 * partitions and nothing else, so that a merge begun in the middle goes on like the whole one.
 * Holds one hand-over of each cursor. read: puts the content into a record; called once for each, when it is the next of its partition.
 * Gives what takes the next `limit` records; fewer, or none, only at the end of all. That throws what a cursor throws.
 */
export function merging(cursors: readonly StretchCursor[], read: (record: SourceRecord) => SourceRecord) {
  /** The lanes with records left; undefined before the first call. */
  let lanes: Lane[] | undefined;
  let ended: RecordRun[] = [];
  const end = ({ stretch: { topic, partition, until: next }, epoch }: StretchCursor) =>
    ended.push({ topic, partition, records: [], next, epoch });
  const advance = (lane: Lane): void => {
    const record = lane.records[lane.next++];
    if (record === undefined) return;
    lane.head = read(record);
    lane.at = eventTime(lane.head);
  };
  const start = async (): Promise<Lane[]> => {
    const first = await Promise.all(cursors.map((cursor) => cursor.next()));
    return cursors.flatMap((cursor, i) => {
      const records = first[i];
      const head = records?.[0];
      if (records === undefined || head === undefined) {
        end(cursor);
        return [];
      }
      const lane = { cursor, records, next: 0, epoch: cursor.epoch, head, at: 0 };
      advance(lane);
      return [lane];
    });
  };
  return async (limit: number): Promise<Merged> => {
    lanes ??= await start();
    const records: SourceRecord[] = [];
    const epochs: Merged['epochs'] = [];
    while (lanes.length > 0 && records.length < limit) {
      let lane = lanes[0]!;
      for (let i = 1; i < lanes.length; i++) if (comesBefore(lanes[i]!, lane)) lane = lanes[i]!;
      records.push(lane.head);
      epochs.push(lane.epoch);
      if (lane.next === lane.records.length && !(await refill(lane))) {
        end(lane.cursor);
        lanes.splice(lanes.indexOf(lane), 1);
      } else advance(lane);
    }
    const over = ended;
    ended = [];
    return { records, epochs, ended: over };
  };
}

/** False at the end of the stretch. */
async function refill(lane: Lane): Promise<boolean> {
  const records = await lane.cursor.next();
  if (records === undefined) return false;
  lane.records = records;
  lane.next = 0;
  lane.epoch = lane.cursor.epoch;
  return true;
}

/** No two lanes have the same partition, so that offsets need no comparison. */
function comesBefore(a: Lane, b: Lane): boolean {
  if (a.at !== b.at) return a.at < b.at;
  if (a.head.topic !== b.head.topic) return a.head.topic < b.head.topic;
  return a.head.partition < b.head.partition;
}

/** The event time of a record, epoch ms: the earliest of its changes. A record without changes counts at the log's time. */
export function eventTime({ content, timestamp }: SourceRecord): number {
  const changes = content?.changes ?? [];
  let first = changes[0]?.at ?? timestamp;
  for (const { at } of changes) first = Math.min(first, at);
  return first;
}
