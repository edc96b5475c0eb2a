import type { SourceRecord, Stretch, StretchCursor } from '../pipeline/ports.ts';

/**
 * A partition being merged. head: its next record, with content. records: its last hand-over, from `next` on to be
 * read.
 */
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
  /** A binary heap, the earliest head on top; undefined before the first call. */
  #heap: Lane[] | undefined;
  #ended: Stretch[] = [];

  /** read: puts the content into a record. Called once for each record, when it is the next of its partition. */
  constructor(cursors: readonly StretchCursor[], read: (record: SourceRecord) => SourceRecord) {
    this.#cursors = cursors;
    this.#read = read;
  }

  /** The next `limit` records; fewer, or none, only at the end of all. @throws what a cursor throws. */
  async take(limit: number): Promise<Merged> {
    this.#heap ??= await this.#start();
    const heap = this.#heap;
    const records: SourceRecord[] = [];
    for (let lane = heap[0]; lane !== undefined && records.length < limit; lane = heap[0]) {
      records.push(lane.head);
      if (lane.next === lane.records.length && !(await refill(lane))) this.#end(heap, lane);
      else this.#advance(lane);
      sink(heap, 0);
    }
    const ended = this.#ended;
    this.#ended = [];
    return { records, ended };
  }

  async #start(): Promise<Lane[]> {
    const first = await Promise.all(this.#cursors.map((cursor) => cursor.next()));
    const heap: Lane[] = [];
    for (const [i, cursor] of this.#cursors.entries()) {
      const records = first[i];
      const head = records?.[0];
      if (records === undefined || head === undefined) {
        this.#ended.push(cursor.stretch);
        continue;
      }
      const lane = { cursor, records, next: 0, head, at: 0 };
      this.#advance(lane);
      heap.push(lane);
    }
    for (let i = (heap.length >> 1) - 1; i >= 0; i--) sink(heap, i);
    return heap;
  }

  #advance(lane: Lane): void {
    const record = lane.records[lane.next++];
    if (record === undefined) return;
    lane.head = this.#read(record);
    lane.at = eventTime(lane.head);
  }

  /** Removes the lane on top. */
  #end(heap: Lane[], lane: Lane): void {
    this.#ended.push(lane.cursor.stretch);
    const last = heap.pop();
    if (last !== undefined && last !== lane) heap[0] = last;
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

/** Moves the lane at `from` down the heap to its place. */
function sink(heap: Lane[], from: number): void {
  const lane = heap[from];
  if (lane === undefined) return;
  let hole = from;
  for (let child = 2 * hole + 1; child < heap.length; child = 2 * hole + 1) {
    const [left, right] = [heap[child], heap[child + 1]];
    const least = left && right && comesBefore(right, left) ? right : left;
    if (least === undefined || !comesBefore(least, lane)) break;
    heap[hole] = least;
    hole = least === right ? child + 1 : child;
  }
  heap[hole] = lane;
}

/** No two lanes have the same partition, so that offsets need no comparison. */
function comesBefore(a: Lane, b: Lane): boolean {
  if (a.at !== b.at) return a.at < b.at;
  if (a.head.topic !== b.head.topic) return a.head.topic < b.head.topic;
  return a.head.partition < b.head.partition;
}

/**
 * The event time of a record, epoch ms: the earliest of its changes. A record without changes counts at the log's
 * time.
 */
export function eventTime({ content, timestamp }: SourceRecord): number {
  const changes = content?.changes ?? [];
  return changes.length === 0 ? timestamp : changes.reduce((first, { at }) => Math.min(first, at), Infinity);
}
