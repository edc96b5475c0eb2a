import type { BadEvent } from '../errors/errors.ts';
import type { SourceRecord } from './ports.ts';
import type { UpdaterOptions } from './updater-options.ts';

/** A topic is judged by at least so many records, and at most once in so many ms. */
const LEAST_RECORDS = 100;
const LEAST_MS = 60_000;
/** The part of the records that has to be rejected before a line of the log says so. */
const MASS = 0.1;

/** Whether so many of so many records say that the fault is in a topic's definition or in its main sender. */
export function areMass(rejected: number, records: number): boolean {
  return records >= LEAST_RECORDS && rejected >= MASS * records;
}

/** Numbers of rejected records, by topic and by code. */
export type RejectedBy = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** Rejected records that are remembered, and bytes of each. */
const REMEMBERED = 20;
const PREVIEW_BYTES = 300;

/** A record that could not be used, for people to look at. */
export interface Rejected extends Pick<SourceRecord, 'topic' | 'partition' | 'offset' | 'timestamp'> {
  readonly code: string;
  readonly message: string;
  /** The first bytes of the value; null for a tombstone. */
  readonly preview: Buffer | null;
}

/** What one code rejected of a topic. */
interface ByCode {
  /** Since the process began, and since the topic was judged last. */
  total: number;
  recent: number;
  /** The first record since the topic was judged last. */
  example: Rejected;
}

interface Topic {
  readonly byCode: Map<string, ByCode>;
  /** Records since the topic was judged last. */
  records: number;
  /** Epoch ms. */
  judgedAt: number;
}

interface RejectionsOptions extends Pick<UpdaterOptions, 'graph' | 'log' | 'clock'> {
  /** By full name on the log. */
  readonly topics: Iterable<string>;
}

/**
 * Counts the records of a graph that can't be used, by topic and code. Where one code rejects a tenth of a topic's records, the
 * fault is in the topic's definition or in its main sender, and a warning says so.
 */
export class Rejections {
  /** The newest rejected records, newest last. */
  readonly newest: Rejected[] = [];
  readonly #options: RejectionsOptions;
  readonly #topics: ReadonlyMap<string, Topic>;

  constructor(options: RejectionsOptions) {
    this.#options = options;
    this.#topics = new Map(
      Array.from(options.topics, (name) => [
        name,
        { byCode: new Map(), records: 0, judgedAt: Number.NEGATIVE_INFINITY },
      ]),
    );
  }

  /** Takes each record that was read. problem: why it can't be used. */
  take(record: SourceRecord, problem: BadEvent | undefined): void {
    const topic = this.#topics.get(record.topic);
    if (topic) topic.records++;
    if (problem === undefined) return;
    const example = rejected(record, problem);
    this.newest.push(example);
    if (this.newest.length > REMEMBERED) this.newest.shift();
    const known = topic?.byCode.get(problem.code) ?? { total: 0, recent: 0, example };
    topic?.byCode.set(problem.code, known);
    if (known.recent === 0) known.example = example;
    known.total++;
    known.recent++;
  }

  /** Judges each topic that enough records have come of since it was judged last. To be called after each batch. */
  look(): void {
    const now = this.#options.clock();
    for (const [name, topic] of this.#topics) {
      if (topic.records < LEAST_RECORDS || now - topic.judgedAt < LEAST_MS) continue;
      for (const [code, rejected] of topic.byCode) {
        if (areMass(rejected.recent, topic.records)) this.#warn(name, code, topic.records, rejected);
        rejected.recent = 0;
      }
      topic.records = 0;
      topic.judgedAt = now;
    }
  }

  /** Since the process began. Every topic has an entry. */
  byTopic(): RejectedBy {
    return Object.fromEntries(
      Array.from(this.#topics, ([name, { byCode }]) => [
        name,
        Object.fromEntries(Array.from(byCode, ([code, { total }]) => [code, total])),
      ]),
    );
  }

  /** Rejected records of all topics since the process began. */
  get total(): number {
    let sum = 0;
    for (const { byCode } of this.#topics.values()) for (const { total } of byCode.values()) sum += total;
    return sum;
  }

  #warn(topic: string, code: string, records: number, { recent, example }: ByCode): void {
    const { partition, offset, message: reason } = example;
    const { graph, log } = this.#options;
    log.warn(
      { graph, topic, code, rejected: recent, records, partition, offset, reason },
      `many records of ${topic} are rejected as ${code}, such as offset ${offset} of partition ${partition}: ${reason}`,
    );
  }
}

function rejected(record: SourceRecord, { code, message }: BadEvent): Rejected {
  const { topic, partition, offset, timestamp, value } = record;
  // A copy: the value is a part of its whole batch, which would stay in memory.
  const preview = value && Buffer.from(value.subarray(0, PREVIEW_BYTES));
  return { code, message, topic, partition, offset, timestamp, preview };
}
