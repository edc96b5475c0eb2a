import { isUtf8 } from 'node:buffer';
import type { EdgeName } from '../../graph/edge.ts';
import { type EntityKey, entityKey } from '../../graph/entity.ts';
import type { EntityIndex } from '../../graph/entity-index.ts';
import type { Head } from '../../graph/head.ts';
import { partitionKey, shardOf, trainingShard } from '../../graph/shard.ts';
import type { Message, Sink, SourceRecord } from '../ports.ts';
import type { OpenBatch } from '../training/open-batch.ts';
import type { Outgoing } from '../training/trainer.ts';
import type { ShardLine, TrainedRange } from '../training/training-line.ts';
import { Window } from '../window.ts';
import { AbsentCopies } from './absent-copies.ts';
import { type Load, Packing } from './packing.ts';
import { encodeParcel, nameEnd, type Parcel } from './parcel.ts';
import { ParcelReader, type ParcelReaderOptions } from './parcel-reader.ts';
import { ParcelSender } from './parcel-sender.ts';
import { type Peer, Peers } from './peers.ts';
import { ReceivedRanges } from './received-ranges.ts';

/** A lease on a copy that is not used ends after this long, or after twice as long. */
const LEASE_MS = 10 * 60_000;
/** A copy that has no vector after this long is asked for, unless said otherwise. */
const WANT_MS = 1_000;

/** The part of a store's head that a shard has. */
export type ShardHead = NonNullable<Head['shard']>;

/** When relation vectors are merged. */
export interface MergePace {
  /** After this many edges trained, or this long after the last merge where any were trained. */
  readonly mergeEdges: number;
  readonly mergeMs: number;
}

/** Where and when a shard meets the others. */
export interface ExchangePlace {
  /** Full name of the exchange topic. */
  readonly topic: string;
  /** Full name of the topic in which routers send the shard its events; absent in a replay, which reads the event topics. */
  readonly edgesTopic?: string;
  /** The space of all shards, asked of the log before anything is read; absent: `freshSpace`. See `agreement.ts`. */
  readonly agree?: (stopping: AbortSignal) => Promise<string>;
  readonly pace: MergePace;
  /** A shard that was sent nothing for this long gets an empty parcel, so that silence means absence; absent: it gets none. */
  readonly quietMs?: number;
  /** A copy without a vector is asked for after this long; absent: a second. */
  readonly wantMs?: number;
  /** Name for the run of a fresh store; random, so that each is unique. */
  readonly freshRun: string;
}

export interface ExchangeOptions extends ExchangePlace, ParcelReaderOptions {
  readonly index: EntityIndex;
  /** Entity types by index, as in the store. */
  readonly entityTypes: readonly string[];
  /** The number of copies of other shards' entities. */
  copies(): number;
  /** Whether the entity was erased. */
  readonly erased: (key: EntityKey) => boolean;
  readonly sink: Sink;
  clock(): number;
  failed(error: Error): void;
}

/** What was sent, received and refused since the process began. */
export interface ExchangeCounts {
  sentGradients: number;
  sentVectors: number;
  sentBytes: number;
  receivedGradients: number;
  receivedVectors: number;
  /** Gradients of parcels that had been received before, and of entities that this shard does not know. */
  repeatedGradients: number;
  strayGradients: number;
  /** Records that are no parcel. */
  unreadable: number;
  /** Edges that wait for the vector of their far end, as of the last batch. */
  waiting: number;
}

/** What an exchange did, and the shards that it knows, for people and metrics. */
export interface ExchangeProgress extends Readonly<ExchangeCounts> {
  /** Copies of other shards' entities, and vectors that were asked for since the process began. */
  readonly copies: number;
  readonly asked: number;
  readonly peers: readonly Peer[];
  /** Time from the writing of vectors to the log until they join a batch, ms, over parcels received lately. */
  readonly vectorAgeMs: { readonly p50: number | undefined; readonly p99: number | undefined };
}

/**
 * Joins a shard to the others of its graph, over a topic with a partition for each. Gradients of rows that belong to another
 * shard go home to it, vectors of own rows go to those that hold copies, and relation vectors go to all.
 *
 * A gradient is applied once. Parcels of a batch are acknowledged before the commit that holds the batch is written; a sender
 * that is killed in between, or started from an older store, trains the same edges again, and its parcels name a range of
 * edges that their receiver has had already.
 */
export class Exchange implements ShardLine {
  readonly counts: ExchangeCounts = {
    sentGradients: 0,
    sentVectors: 0,
    sentBytes: 0,
    receivedGradients: 0,
    receivedVectors: 0,
    repeatedGradients: 0,
    strayGradients: 0,
    unreadable: 0,
    waiting: 0,
  };
  readonly absent: AbsentCopies;
  readonly #options: ExchangeOptions;
  readonly #run: string;
  readonly #received: ReceivedRanges;
  /** A record key for each shard that Kafka's partitioner puts into its partition. */
  readonly #keys: readonly string[];
  readonly #reader: ParcelReader;
  readonly #sender: ParcelSender;
  readonly #packing: Packing;
  readonly #peers: Peers;
  readonly #vectorAgesMs = new Window();
  /** The newest relation vectors of other shards that are not merged yet. */
  readonly #relations = new Map<number, Float32Array>();
  /** Edges handed to the trainer since the store began. */
  #trained: number;
  /** Where the last range that was sent ends, and how many parcels of this end are numbered. */
  #sentUpTo = { last: -1, parts: 0 };
  #mergedAt: number;
  #mergedEdges: number;
  /** When leases turned last. */
  #turnedAt: number;
  #open = false;

  constructor(options: ExchangeOptions, head: ShardHead | undefined) {
    this.#options = options;
    this.#run = head?.run ?? options.freshRun;
    this.#trained = head?.trained ?? 0;
    this.#received = new ReceivedRanges(head?.received);
    this.#keys = Array.from({ length: options.shard.count }, (_, shard) =>
      partitionKey(shard, options.shard.count),
    );
    this.#sender = new ParcelSender(options);
    this.#packing = new Packing(options.dim, (row) => options.index.names.nameAt(row));
    this.#peers = new Peers(options.shard, options.clock);
    this.#mergedAt = options.clock();
    this.#reader = new ParcelReader(options, this.counts, this.#mergedAt);
    this.#mergedEdges = this.#trained;
    this.#turnedAt = this.#mergedAt;
    this.absent = new AbsentCopies(options.wantMs ?? WANT_MS, options.clock);
  }

  get dim(): number {
    return this.#options.dim;
  }

  get topic(): string {
    return this.#options.topic;
  }

  homeOf(key: EntityKey): number {
    return shardOf(key, this.#options.shard.count);
  }

  owns(key: EntityKey): boolean {
    return this.homeOf(key) === this.#options.shard.index;
  }

  /** The other shard that has the edge, where that one trains it; undefined where this shard does. */
  trainedBy({ lhs, rhs }: Pick<EdgeName, 'lhs' | 'rhs'>): number | undefined {
    const { index, count } = this.#options.shard;
    const shard = trainingShard(this.homeOf(lhs), this.homeOf(rhs), count);
    return shard === index ? undefined : shard;
  }

  get progress(): ExchangeProgress {
    const ages = this.#vectorAgesMs;
    return {
      ...this.counts,
      copies: this.#options.copies(),
      asked: this.absent.asked,
      peers: this.#peers.list(),
      vectorAgeMs: { p50: ages.quantile(0.5), p99: ages.quantile(0.99) },
    };
  }

  /** What a commit writes of it, as of now. */
  head(): Omit<ShardHead, 'edges' | 'entities'> {
    const { index, count } = this.#options.shard;
    return {
      index,
      count,
      run: this.#run,
      trained: this.#trained,
      received: this.#received.head(),
    };
  }

  /** Begins to send: this process is the shard's one writer. What was trained before is not sent. */
  begin(): void {
    this.#open = true;
  }

  /** See {@link ParcelReader.read}. */
  read(record: SourceRecord): Parcel | undefined {
    return this.#reader.read(record);
  }

  /**
   * Puts what another shard sent into the open batch.
   * at: when it was written to the log, epoch ms; a new entity is seen first then. touched: gets the rows of entities that are new.
   */
  receive(parcel: Parcel, batch: OpenBatch, at: number, touched: Set<number>): void {
    const { clock } = this.#options;
    this.#peers.heard(parcel.from, at);
    if (parcel.vectors.count > 0) this.#vectorAgesMs.add(Math.max(0, clock() - at));
    this.#receiveVectors(parcel, batch, at, touched);
    if (parcel.relations.length > 0) this.#relations.set(parcel.from, parcel.relations);
    this.#receiveGradients(parcel, batch);
    this.#receiveWanted(parcel, batch);
  }

  #receiveGradients(parcel: Parcel, batch: OpenBatch): void {
    const { index } = this.#options;
    const { count, names, halves } = parcel.gradients;
    if (count === 0) return;
    if (!this.#received.take(parcel)) {
      this.counts.repeatedGradients += count;
      return;
    }
    for (let i = 0, start = 0, end = 0; i < count; i++, start = end) {
      end = nameEnd(names, start);
      const row = index.names.find(names, start, end);
      if (row < 0) {
        this.counts.strayGradients++;
        continue;
      }
      batch.shard?.gradients.push(row, vectorAt(halves, i, this.#options.dim));
      batch.shard?.uses(row, parcel.from);
    }
    this.counts.receivedGradients += count;
  }

  /** An entity that is not known yet is sent once an edge names it. */
  #receiveWanted({ from, wanted: { count, names } }: Parcel, batch: OpenBatch): void {
    for (let i = 0, start = 0, end = 0; i < count; i++, start = end) {
      end = nameEnd(names, start);
      const row = this.#options.index.names.find(names, start, end);
      if (row >= 0) batch.shard?.uses(row, from, true);
    }
  }

  /** Closes the shard's part of a batch of `edges` new edges. Gives the range of these edges. */
  hand(batch: OpenBatch, edges: number): TrainedRange {
    const { pace, clock } = this.#options;
    const first = this.#trained;
    this.#trained += edges;
    const since = this.#trained - this.#mergedEdges;
    const late = clock() - this.#mergedAt >= pace.mergeMs && (since > 0 || this.#relations.size > 0);
    if (batch.shard && (since >= pace.mergeEdges || late)) {
      // A shard that trains nothing takes over what the others learn, and has nothing new for them.
      batch.shard.wantsRelations = since > 0;
      batch.shard.relations = [...this.#relations.values()];
      this.#relations.clear();
      this.#mergedAt = clock();
      this.#mergedEdges = this.#trained;
    }
    if (batch.shard && clock() - this.#turnedAt >= LEASE_MS) {
      batch.shard.turn = true;
      this.#turnedAt = clock();
    }
    return { first, last: this.#trained };
  }

  /** Sends empty parcels to shards that were sent nothing for `quietMs`. To be called now and then. */
  look(): void {
    // While parcels wait for the brokers, another would only wait behind them.
    if (!this.#open || this.#sender.behind || !(this.#quiet().length > 0 || this.absent.isDue)) return;
    const nothing = { rows: new Int32Array(0), halves: new Float16Array(0) };
    const to = Array.from({ length: this.#options.shard.count }, () => ({
      gradients: nothing,
      vectors: nothing,
    }));
    const range = { first: this.#trained, last: this.#trained };
    this.send({ to, waiting: this.counts.waiting }, range);
  }

  /** Sends what came out of a batch. Returns at once; see {@link sent}. */
  send(outgoing: Outgoing, range: TrainedRange): void {
    this.counts.waiting = outgoing.waiting;
    if (!this.#open) return;
    const quiet = this.#quiet();
    const gradientParts = Math.max(...outgoing.to.map(({ gradients }) => this.#packing.parts(gradients)));
    // Empty parcels may be sent in the name of a later range than that of the batch that is still being trained.
    if (gradientParts > 0 && range.last !== this.#sentUpTo.last)
      this.#sentUpTo = { last: range.last, parts: 0 };
    const { relations } = outgoing;
    const wanted = Map.groupBy(this.absent.take(), (row) => this.homeOf(this.#options.index.keyAt(row)!));
    const messages = outgoing.to.flatMap((parts, to) => {
      if (to === this.#options.shard.index) return [];
      const load = { ...parts, relations, wanted: wanted.get(to) ?? [] };
      return this.#parcels(to, range, load, quiet.includes(to) ? 1 : 0);
    });
    this.#sentUpTo.parts += gradientParts;
    this.#sender.send(messages);
  }

  /**
   * Resolves once everything that was given to `send` before is acknowledged, whatever comes meanwhile.
   * @throws what ended the sending.
   */
  sent(): Promise<void> {
    return this.#sender.sent();
  }

  /** Ends the wait for brokers that can't be reached. */
  stop(): void {
    this.#sender.stop();
  }

  #receiveVectors(
    { vectors: { count, names, halves } }: Parcel,
    batch: OpenBatch,
    at: number,
    touched: Set<number>,
  ): void {
    const { index, entityTypes, erased, dim } = this.#options;
    for (let i = 0, start = 0, end = 0; i < count; i++, start = end) {
      end = nameEnd(names, start);
      let row = index.names.find(names, start, end);
      if (row < 0) {
        const typeNumber = names[start]!;
        const type = entityTypes[typeNumber];
        const id = names.subarray(start + 2, end);
        const key = type && isUtf8(id) ? entityKey(type, Buffer.from(id).toString()) : undefined;
        // An erased entity that is named again is asked for.
        if (!key || this.owns(key) || erased(key)) continue;
        // The sender has read an edge that this shard has not read yet. It will not send the vector again soon.
        const next = index.nextRow;
        row = index.add(key, at);
        if (row === next) batch.newEntity(typeNumber, this.homeOf(key));
        else batch.newEntityOn(row, typeNumber, this.homeOf(key));
        touched.add(row);
      }
      this.absent.remove(row);
      batch.shard?.vectors.push(row, vectorAt(halves, i, dim + 1));
    }
    this.counts.receivedVectors += count;
  }

  #quiet(): number[] {
    return this.#peers.unsentFor(this.#options.quietMs ?? Number.POSITIVE_INFINITY);
  }

  /** least: parcels that are sent even where there is nothing to send. */
  #parcels(to: number, range: TrainedRange, load: Load, least: number): Message[] {
    const { shard, topic, dim, fingerprint, space } = this.#options;
    const packed = this.#packing.pack(load, least);
    if (packed.length > 0) this.#peers.sent(to);
    const before = this.#sentUpTo.parts;
    return packed.map((contents, part) => {
      const parcel = { from: shard.index, run: this.#run, ...range, part: before + part, ...contents };
      const value = encodeParcel(parcel, dim);
      this.counts.sentBytes += value.length;
      this.counts.sentGradients += parcel.gradients.count;
      this.counts.sentVectors += parcel.vectors.count;
      return { topic, key: this.#keys[to]!, value, headers: { graph: shard.graph, fingerprint, space } };
    });
  }
}

function vectorAt(halves: Float16Array, i: number, width: number): Float16Array {
  return halves.subarray(i * width, (i + 1) * width);
}
