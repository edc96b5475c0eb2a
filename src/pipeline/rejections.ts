import type { BadEvent } from '../errors/errors.ts';
import type { Log } from '../log.ts';
import type { SourceRecord } from './ports.ts';

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

/** What one code rejected of a topic. */
interface Rejected {
  /** Since the process began, and since the topic was judged last. */
  total: number;
  recent: number;
  /** The first record since the topic was judged last. */
  example: Pick<SourceRecord, 'partition' | 'offset'> & { readonly reason: string };
}

interface Topic {
  readonly byCode: Map<string, Rejected>;
  /** Records since the topic was judged last. */
  records: number;
  /** Epoch ms. */
  judgedAt: number;
}

interface RejectionsOptions {
  readonly graph: string;
  /** By full name on the log. */
  readonly topics: Iterable<string>;
  readonly log: Log;
  /** Epoch ms. */
  clock(): number;
}

/**
 * Counts the records of a graph that can't be used, by topic and code. Where one code rejects a tenth of a topic's records, the
 * fault is in the topic's definition or in its main sender, and a warning says so.
 */
export class Rejections {
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
  take({ topic: name, partition, offset }: SourceRecord, problem: BadEvent | undefined): void {
    const topic = this.#topics.get(name);
    if (topic === undefined) return;
    topic.records++;
    if (problem === undefined) return;
    const { code, message: reason } = problem;
    const known = topic.byCode.get(code);
    if (known === undefined) {
      topic.byCode.set(code, { total: 1, recent: 1, example: { partition, offset, reason } });
      return;
    }
    if (known.recent === 0) known.example = { partition, offset, reason };
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

  #warn(topic: string, code: string, records: number, { recent: rejected, example }: Rejected): void {
    const { partition, offset, reason } = example;
    const { graph, log } = this.#options;
    log.warn(
      { graph, topic, code, rejected, records, partition, offset, reason },
      `many records of ${topic} are rejected as ${code}, such as offset ${offset} of partition ${partition}: ${reason}`,
    );
  }
}
