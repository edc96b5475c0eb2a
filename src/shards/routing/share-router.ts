import type { RecordLimits } from '../../../topics/record.ts';
import type { EventTopic } from '../../../topics/topic.ts';
import { type BadEvent, reasonOf } from '../../errors/errors.ts';
import type { GraphChange } from '../../graph/edge.ts';
import { partitionKey, shardOf } from '../../graph/shard.ts';
import type { Log } from '../../log.ts';
import { Delivery } from '../../pipeline/delivery.ts';
import type {
  Follower,
  Message,
  Position,
  Positions,
  RecordRun,
  Sink,
  SourceRecord,
} from '../../pipeline/ports.ts';
import { readContent } from '../../pipeline/reading/record-content.ts';
import type { Rejections } from '../../pipeline/rejections.ts';
import { encodeStretch, type RoutedRecord } from './stretch.ts';

/** Records of events that may wait to be sent, bytes: back-pressure. */
const MOST_WAITING_BYTES = 8 << 20;
/** A stretch ends after events of so many bytes: brokers take messages of 1 MiB unless told otherwise. */
const STRETCH_BYTES = 128 << 10;
/**
 * Every so many marks, all shards are told of all partitions, even where nothing is new: a shard whose routed events are gone sees
 * the gap by what comes after it, and has to see it where no event comes.
 */
const MARKS_OF_ALL = 20;

/** A cut graph, as far as routing goes. */
export interface RoutedGraph {
  /** Name of the whole graph. */
  readonly graph: string;
  readonly shards: number;
  /** Names of its relations. */
  readonly relations: ReadonlySet<string>;
  /** Event topics by full name on the log. */
  readonly topics: ReadonlyMap<string, EventTopic>;
  readonly limits: RecordLimits;
  /** Full name of the topic in which routers send the shards their events. */
  readonly edgesTopic: string;
}

/** The changes that concern each shard: an edge concerns the owners of both its ends, and an erasure concerns all. */
export function concernedShards(
  changes: readonly GraphChange[],
  { relations, shards }: Pick<RoutedGraph, 'relations' | 'shards'>,
): ReadonlyMap<number, readonly GraphChange[]> {
  const byShard = new Map<number, GraphChange[]>();
  const add = (shard: number, change: GraphChange) => {
    const list = byShard.get(shard);
    if (list) list.push(change);
    else byShard.set(shard, [change]);
  };
  for (const change of changes) {
    if ('erased' in change) {
      for (let shard = 0; shard < shards; shard++) add(shard, change);
    } else if (relations.has(change.relation)) {
      const [lhs, rhs] = [shardOf(change.lhs, shards), shardOf(change.rhs, shards)];
      add(lhs, change);
      if (rhs !== lhs) add(rhs, change);
    }
  }
  return byShard;
}

/** What a process has routed since it began. */
export interface RouterCounts {
  records: number;
  /** Records handed to a shard; one that concerns two shards counts twice. */
  sent: number;
  bytes: number;
}

/** What is the same for all shares of a process. */
export interface RoutingOptions extends RoutedGraph {
  readonly sink: Sink;
  deadLetter(record: SourceRecord, problem: BadEvent): Message;
  /** A shard that nothing concerns is told this often how far its events are read. */
  readonly markMs: number;
  readonly log: Log;
}

export interface ShareRouterOptions extends RoutingOptions {
  readonly counts: RouterCounts;
  readonly rejections: Rejections;
  /** Told how far every shard has what concerns it, after each acknowledgement that moves that. */
  routed(positions: Positions): void;
  failed(error: Error): void;
}

/** A part of an event partition that is to be sent to one shard. */
interface Part {
  readonly from: number;
  until: number;
  /** Leader epoch of its records. */
  readonly epoch: number | undefined;
  readonly records: RoutedRecord[];
  bytes: number;
}

/** What is known of one event partition. */
interface Source {
  readonly topic: string;
  readonly partition: number;
  /** Where this router began. */
  readonly from: number;
  /** Every offset below it is read. */
  read: number;
  /** Leader epoch of the record read last. */
  epoch: number | undefined;
  /** By shard: parts that wait to be sent, oldest first; and how far parts were handed over to be sent. */
  readonly waiting: Part[][];
  readonly handed: Position[];
}

/**
 * The work of a router on one share: reads events, checks them, and sends each to the shards that own an end of its edges. It
 * keeps nothing. Each shard is sent gapless stretches of every event partition, in order, and drops what it has already, by the
 * events’ own offsets: a router that was killed, or is still running while another has its partitions, can repeat but
 * never lose or double.
 */
export class ShareRouter implements Pick<Follower, 'take'> {
  readonly #options: ShareRouterOptions;
  readonly delivery: Delivery;
  /** A record key for each shard that Kafka’s partitioner puts into its partition. */
  readonly #keys: readonly string[];
  readonly #sources = new Map<string, Source>();
  readonly #marking: NodeJS.Timeout;
  readonly #letters: Message[] = [];
  #waitingBytes = 0;
  #room: PromiseWithResolvers<void> | undefined;
  #sending: Promise<void> | undefined;
  #stopped = false;

  constructor(options: ShareRouterOptions) {
    this.#options = options;
    this.delivery = new Delivery(options.sink, options.log);
    this.#keys = Array.from({ length: options.shards }, (_, shard) => partitionKey(shard, options.shards));
    let marks = 0;
    const mark = () => this.#mark(marks++ % MARKS_OF_ALL === 0);
    this.#marking = setInterval(mark, options.markMs).unref();
  }

  /** Begins a partition at an offset: shards are told how far it is routed before anything of it is read. */
  begin(topic: string, partition: number, position: Position): Source {
    const waiting = Array.from({ length: this.#options.shards }, (): Part[] => []);
    const { offset: from, epoch } = position;
    const source = {
      topic,
      partition,
      from,
      read: from,
      epoch,
      waiting,
      handed: waiting.map(() => position),
    };
    this.#sources.set(`${topic}/${partition}`, source);
    return source;
  }

  take(run: RecordRun): Promise<void> | undefined {
    const { topic, partition, epoch } = run;
    // A partition that was added meanwhile is read from its start.
    const source = this.#sources.get(`${topic}/${partition}`) ?? this.begin(topic, partition, { offset: 0 });
    for (const record of run.records) this.#route(source, record, epoch);
    this.#options.rejections.look();
    source.read = run.next;
    source.epoch = epoch;
    this.#options.counts.records += run.records.length;
    for (const parts of source.waiting) {
      const last = parts.at(-1);
      if (last && last.epoch === epoch) last.until = run.next;
    }
    this.#send();
    if (this.#waitingBytes < MOST_WAITING_BYTES) return undefined;
    this.#room ??= Promise.withResolvers<void>();
    return this.#room.promise;
  }

  /** Ends the sending; what was not acknowledged is routed again by whoever comes next. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#marking);
    this.#room?.resolve();
    this.delivery.stop();
    await this.#sending;
  }

  #route(source: Source, record: SourceRecord, epoch: number | undefined): void {
    const { topics, limits, counts, rejections, deadLetter } = this.#options;
    const { changes, problem } = readContent(record, topics, limits);
    rejections.take(record, problem);
    const bytes = (record.value?.length ?? 0) + (record.key?.length ?? 0);
    if (problem) {
      this.#letters.push(deadLetter(record, problem));
      this.#waitingBytes += bytes;
      return;
    }
    const { offset, timestamp } = record;
    for (const [shard, concerning] of concernedShards(changes, this.#options)) {
      const routed = { offset, timestamp, changes: concerning };
      this.#partFor(source, shard, { offset, epoch }, bytes).records.push(routed);
      counts.sent++;
    }
  }

  /** The part that the record goes into: the open one, or another where that is full or of another leader epoch. */
  #partFor(source: Source, shard: number, { offset, epoch }: Position, bytes: number): Part {
    const parts = source.waiting[shard]!;
    let last = parts.at(-1);
    if (last === undefined || last.bytes >= STRETCH_BYTES || last.epoch !== epoch) {
      if (last !== undefined && last.epoch === epoch) last.until = offset;
      const from = last?.until ?? source.handed[shard]!.offset;
      last = { from, until: offset + 1, epoch, records: [], bytes: 0 };
      parts.push(last);
    }
    last.bytes += bytes;
    this.#waitingBytes += bytes;
    return last;
  }

  /** Tells a shard for which nothing waits how far each partition is read. everywhere: also of partitions that were not read on. */
  #mark(everywhere: boolean): void {
    for (const { read, epoch, waiting, handed } of this.#sources.values()) {
      for (const [shard, parts] of waiting.entries()) {
        const from = handed[shard]!.offset;
        if (parts.length === 0 && (everywhere || from < read))
          parts.push({ from, until: read, epoch, records: [], bytes: 0 });
      }
    }
    this.#send();
  }

  /** Begins to send what waits, unless something is being sent: then that goes with the next. */
  #send(): void {
    if (this.#sending || this.#stopped) return;
    const [letters, { messages, moved }] = [this.#letters.splice(0), this.#take()];
    if (letters.length + messages.length === 0) return;
    this.#sending = this.#deliver(letters, messages, moved).finally(() => {
      this.#sending = undefined;
      // What came meanwhile.
      this.#send();
    });
  }

  /** moved: whether a shard has more than before once the messages are acknowledged. Nothing else is handed over meanwhile. */
  async #deliver(letters: Message[], messages: Message[], moved: boolean): Promise<void> {
    try {
      if (letters.length > 0) await this.delivery.sendLetters(letters);
      await this.delivery.send(messages, 'routed events');
      if (moved) this.#options.routed(this.#routedPositions());
    } catch (error) {
      if (this.#stopped) return;
      this.#stopped = true;
      this.#options.failed(error instanceof Error ? error : new Error(reasonOf(error)));
    }
  }

  /** What is to be sent now, and whether it is more than marks that say nothing new. */
  #take(): { messages: Message[]; moved: boolean } {
    const messages: Message[] = [];
    this.#waitingBytes = 0;
    this.#room?.resolve();
    this.#room = undefined;
    let moved = false;
    for (const source of this.#sources.values()) {
      for (const [shard, parts] of source.waiting.entries()) {
        for (const part of parts.splice(0)) {
          messages.push(this.#message(source, shard, part));
          moved ||= part.until > source.handed[shard]!.offset;
          source.handed[shard] = { offset: part.until, epoch: part.epoch };
        }
      }
    }
    return { messages, moved };
  }

  #message({ topic, partition }: Source, shard: number, { from, until, epoch, records }: Part): Message {
    const { edgesTopic, graph, counts } = this.#options;
    const value = encodeStretch({ topic, partition, from, until, epoch, records });
    counts.bytes += value.length;
    return { topic: edgesTopic, key: this.#keys[shard]!, value, headers: { graph } };
  }

  /** By event partition that was read on: up to where every shard has what concerns it. */
  #routedPositions(): Positions {
    const positions: Record<string, Record<string, Position>> = {};
    for (const { topic, partition, from, read, handed } of this.#sources.values())
      if (read > from) {
        const least = handed.reduce((a, b) => (b.offset < a.offset ? b : a));
        positions[topic] = { ...positions[topic], [partition]: least };
      }
    return positions;
  }
}
