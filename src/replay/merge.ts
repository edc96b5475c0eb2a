import type { SourceRecord, Stretch, StretchCursor } from '../pipeline/ports.ts';

/** A partition being merged. head: its next record, with content. records: its last hand-over, from `next` on to be read. */
interface Lane {
  readonly cursor: StretchCursor;
  records: readonly SourceRecord[];
  next: number;
  head: SourceRecord;
  at: number;
}

/** The next records of a merge. */
export interface Merged {
  readonly records: SourceRecord[];
  /** Stretches that end with these records. Each stretch is named once. */
  readonly ended: readonly Stretch[];
}

/**
 * Records of several partitions in one order: the earliest head first by event time, then by topic and partition.
 * Within a partition offsets stay in order, whatever the times. The next record depends on the positions of the
 * partitions and nothing else, so that a merge begun in the middle goes on like the whole one.
 * Holds one hand-over of each cursor.
 */
export class Merge {
  readonly #cursors: readonly StretchCursor[];
  readonly #read: (record: SourceRecord) => SourceRecord;
  /** The lanes with records left; undefined before the first call. */
  #lanes: Lane[] | undefined;
  #ended: Stretch[] = [];

  /** read: puts the content into a record. Called once for each record, when it is the next of its partition. */
  constructor(cursors: readonly StretchCursor[], read: (record: SourceRecord) => SourceRecord) {
    this.#cursors = cursors;
    this.#read = read;
  }

  /** The next `limit` records; fewer, or none, only at the end of all. @throws what a cursor throws. */
  async take(limit: number): Promise<Merged> {
    this.#lanes ??= await this.#start();
    const lanes = this.#lanes;
    const records: SourceRecord[] = [];
    while (lanes.length > 0 && records.length < limit) {
      const lane = lanes.reduce((first, each) => (comesBefore(each, first) ? each : first));
      records.push(lane.head);
      if (lane.next === lane.records.length && !(await refill(lane))) {
        this.#ended.push(lane.cursor.stretch);
        lanes.splice(lanes.indexOf(lane), 1);
      } else this.#advance(lane);
    }
    const ended = this.#ended;
    this.#ended = [];
    return { records, ended };
  }

  async #start(): Promise<Lane[]> {
    const first = await Promise.all(this.#cursors.map((cursor) => cursor.next()));
    return this.#cursors.flatMap((cursor, i) => {
      const records = first[i];
      const head = records?.[0];
      if (records === undefined || head === undefined) {
        this.#ended.push(cursor.stretch);
        return [];
      }
      const lane = { cursor, records, next: 0, head, at: 0 };
      this.#advance(lane);
      return [lane];
    });
  }

  #advance(lane: Lane): void {
    const record = lane.records[lane.next++];
    if (record === undefined) return;
    lane.head = this.#read(record);
    lane.at = eventTime(lane.head);
  }
}

/** False at the end of the stretch. */
async function refill(lane: Lane): Promise<boolean> {
  const records = await lane.cursor.next();
  if (records === undefined) return false;
  lane.records = records;
  lane.next = 0;
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
  return changes.length === 0 ? timestamp : changes.reduce((first, { at }) => Math.min(first, at), Infinity);
}
