import { isUtf8 } from 'node:buffer';
import type { EdgeChange, EdgeName, GraphChange } from '../graph/edge.ts';
import { type EntityKey, entityKey, typeOf } from '../graph/entity.ts';
import { fingerprint, freshShard, type Head, type ShardHead } from '../graph/head.ts';
import { partitionKey, type Shard, shardOf, trainingShard } from '../graph/shard.ts';
import type {
  EdgePlace,
  ExchangeCounts,
  ExchangeProgress,
  Handed,
  NameEntity,
  NeighbourParts,
  Neighbours,
} from '../pipeline/neighbours.ts';
import type { Message, SourceRecord } from '../pipeline/ports.ts';
import type { Outgoing, TrainedRange, Unsent } from '../pipeline/training/shard-batch.ts';
import { Window } from '../pipeline/window.ts';
import { AbsentCopies } from './absent-copies.ts';
import { OpenShardBatch } from './open-shard-batch.ts';
import { encodeParcel, nameEnd, type Parcel } from './parcel.ts';
import { type Load, Packing, ParcelSender } from './parcel-sender.ts';
import { Peers } from './peers.ts';

/** Most vectors and gradients of other shards in one batch, for each edge that a full batch has. */
const MOST_RECEIVED = 16;
/** Bytes of parcels that may wait for the brokers before reading pauses. */
const MOST_WAITING_BYTES = 64 * 2 ** 20;
/** A lease on a copy that is not used ends after this long, or after twice as long. */
const LEASE_MS = 10 * 60_000;

/** When shards send each other what no edge asks for. */
export interface ExchangePace {
  /** Relation vectors are merged after this many edges trained, or this long after the last merge where any were trained. */
  readonly mergeEdges: number;
  readonly mergeMs: number;
  /** A shard that was sent nothing for this long gets an empty parcel, so that silence means absence. */
  readonly quietMs: number;
  /** A copy that has no vector after this long is asked for. */
  readonly wantMs: number;
}

export interface ExchangePlace {
  readonly shard: Shard;
  /** Full name of the exchange topic. */
  readonly topic: string;
  readonly pace: ExchangePace;
  /** Name for the run of a fresh store; random, so that each is unique. */
  readonly freshRun: string;
}

/**
 * Joins a shard to the others of its graph, over a topic with a partition for each. Gradients of rows that belong to another
 * shard go to it, vectors of own rows go to those that hold copies, and relation vectors go to all.
 *
 * A gradient is applied once. A sender that is killed sends again what came out of its journal's batches and was not acknowledged by
 * its last commit, and one that is started from an older store trains the same edges again. Its parcels name a range of edges that
 * their receiver has had already. No checkpoint counts before the parcels of its batches are acknowledged.
 */
export class Exchange implements Neighbours {
  readonly topic: string;
  readonly #counts: ExchangeCounts = {
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
  readonly #shard: Shard;
  readonly #pace: ExchangePace;
  readonly #parts: NeighbourParts;
  /** What other shards said, and new copies, for the next batch. */
  readonly #open: OpenShardBatch;
  readonly #absent: AbsentCopies;
  /** [count, count] the place of an edge by the owners of its ends. */
  readonly #places: readonly EdgePlace[];
  /** What the shard owns of the live edges by relation, and of the entities by type. */
  readonly #own: Pick<ShardHead, 'edges' | 'entities'>;
  readonly #run: string;
  readonly #headers: Readonly<Record<'graph' | 'fingerprint' | 'space', string>>;
  /** A record key for each shard that Kafka's partitioner puts into its partition. */
  readonly #keys: readonly string[];
  readonly #sender: ParcelSender;
  readonly #packing: Packing;
  readonly #peers: Peers;
  readonly #vectorAgesMs = new Window();
  /** The newest relation vectors of other shards that are not merged yet. */
  readonly #relations = new Map<number, Float32Array>();
  /** Edges handed to the trainer since the store began. */
  #trained: number;
  /** Those whose batches have nothing left to send. */
  #sent: number;
  #unsent: readonly Unsent[];
  /** Where the last range that was sent ends, and how many parcels of this end are numbered. */
  #sentUpTo = { last: -1, parts: 0 };
  #mergedAt: number;
  #mergedEdges: number;
  /** When leases turned last. */
  #turnedAt: number;
  #writes = false;

  constructor(place: ExchangePlace, parts: NeighbourParts) {
    const { shard, topic, pace, freshRun } = place;
    const { model, index, space, sink, log, clock, failed } = parts;
    const { dim } = model;
    const { run, trained, sent, received, edges, entities } =
      parts.head?.shard ?? freshShard(shard, freshRun);
    const { count } = shard;
    this.#shard = shard;
    this.topic = topic;
    this.#pace = pace;
    this.#parts = parts;
    this.#run = run;
    this.#trained = trained;
    this.#sent = sent;
    this.#unsent = parts.unsent;
    this.#own = { edges: { ...edges }, entities: { ...entities } };
    this.#places = placesIn(shard);
    this.#keys = Array.from({ length: count }, (_, each) => partitionKey(each, count));
    this.#headers = { graph: shard.graph, fingerprint: fingerprint(model), space };
    this.#sender = new ParcelSender({ sink, log, failed });
    this.#packing = new Packing(dim, (row) => index.names.nameAt(row));
    const relationRows = 2 * model.relations.length;
    const expected = { shard, topic, ...this.#headers, dim, relationRows, log };
    this.#peers = new Peers(expected, received, clock);
    this.#absent = new AbsentCopies(pace.wantMs, clock);
    this.#open = new OpenShardBatch(dim);
    for (const row of parts.absent) this.#absent.add(row);
    this.#mergedAt = clock();
    this.#mergedEdges = this.#trained;
    this.#turnedAt = this.#mergedAt;
  }

  placesOf(changes: readonly GraphChange[]): readonly EdgePlace[] {
    return changes.map((change) => ('erased' in change ? this.#places[0]! : this.placeOf(change)));
  }

  placeOf({ lhs, rhs }: Pick<EdgeName, 'lhs' | 'rhs'>): EdgePlace {
    const { count } = this.#shard;
    return this.#places[count * shardOf(lhs, count) + shardOf(rhs, count)]!;
  }

  owns(key: EntityKey): boolean {
    return this.#homeOf(key) === this.#shard.index;
  }

  edgeChanged({ relation }: EdgeChange, { ownsLhs }: EdgePlace, before: boolean, now: boolean): void {
    const { edges } = this.#own;
    if (ownsLhs) edges[relation] = (edges[relation] ?? 0) + Number(now) - Number(before);
  }

  holds(shard: number, row: number): void {
    this.#open.uses(row, shard);
  }

  named(row: number, key: EntityKey, owner: number): void {
    if (owner === this.#shard.index) this.#ownEntities(key, 1);
    else {
      this.#open.copy(row, owner);
      this.#absent.add(row);
    }
  }

  reset(row: number, key: EntityKey): void {
    this.#open.forget(row);
    if (!this.owns(key)) this.#absent.add(row);
  }

  dropped(row: number, key: EntityKey): void {
    this.#open.forget(row);
    this.#absent.remove(row);
    if (this.owns(key)) this.#ownEntities(key, -1);
  }

  get idle(): boolean {
    return this.#open.empty;
  }

  isFull(batchEdges: number): boolean {
    return this.#open.received >= MOST_RECEIVED * batchEdges;
  }

  get progress(): ExchangeProgress {
    const ages = this.#vectorAgesMs;
    const own = Object.values(this.#own.entities).reduce((sum, count) => sum + count, 0);
    return {
      ...this.#counts,
      copies: this.#parts.index.size - own,
      asked: this.#absent.asked,
      peers: this.#peers.list(),
      vectorAgeMs: { p50: ages.quantile(0.5), p99: ages.quantile(0.99) },
    };
  }

  head(): Pick<Head, 'shard'> {
    const { index, count } = this.#shard;
    const received = this.#peers.received();
    const own = structuredClone(this.#own);
    const [run, trained, sent] = [this.#run, this.#trained, this.#sent];
    return { shard: { index, count, run, trained, sent, received, ...own } };
  }

  begin(): void {
    this.#writes = true;
    for (const { outgoing, range } of this.#unsent) this.#trainedOf(outgoing, range);
    this.#unsent = [];
  }

  get behind(): boolean {
    return this.#sender.waitingBytes > MOST_WAITING_BYTES;
  }

  /** Puts a parcel of this training into the open batch. @throws FatalError `shards` where its sender trains another model. */
  receive(record: SourceRecord, name: NameEntity): void {
    const parcel = this.#peers.read(record, () => this.#counts.unreadable++);
    if (parcel === undefined) return;
    const { timestamp: at } = record;
    if (parcel.vectors.count > 0) this.#vectorAgesMs.add(Math.max(0, this.#parts.clock() - at));
    this.#receiveVectors(parcel, at, name);
    if (parcel.relations.length > 0) this.#relations.set(parcel.from, parcel.relations.slice());
    this.#receiveGradients(parcel);
    // An entity that is not known yet is sent once an edge names it.
    this.#eachRow(parcel.wanted, (row) => row >= 0 && this.#open.uses(row, parcel.from, true));
  }

  hand(edges: number): Handed {
    const { clock } = this.#parts;
    const first = this.#trained;
    this.#trained += edges;
    const since = this.#trained - this.#mergedEdges;
    const isLate = clock() - this.#mergedAt >= this.#pace.mergeMs;
    const merges = since >= this.#pace.mergeEdges || (isLate && (since > 0 || this.#relations.size > 0));
    const relations = merges ? [...this.#relations.values()] : [];
    if (merges) {
      this.#relations.clear();
      this.#mergedAt = clock();
      this.#mergedEdges = this.#trained;
    }
    const turn = clock() - this.#turnedAt >= LEASE_MS;
    if (turn) this.#turnedAt = clock();
    // A shard that trains nothing takes over what the others learn, and has nothing new for them.
    const wantsRelations = merges && since > 0;
    const range = { first, last: this.#trained };
    return {
      part: { shard: this.#open.close({ range, relations, wantsRelations, turn }) },
      trained: (outgoing) => {
        if (outgoing) this.#trainedOf(outgoing, range);
      },
    };
  }

  /** Sends what came out of a batch, and notes when all of it is acknowledged. */
  #trainedOf(outgoing: Outgoing, range: TrainedRange): void {
    this.#send(outgoing, range);
    const isSent = () => {
      this.#sent = Math.max(this.#sent, range.last);
    };
    if (!this.#writes) isSent();
    // What ends the sending is told elsewhere.
    else this.#sender.sent().then(isSent, () => undefined);
  }

  /** Sends empty parcels to shards that were sent nothing for long, and asks for vectors that did not come. */
  look(): void {
    // While parcels wait for the brokers, another would only wait behind them.
    if (!this.#writes || this.#sender.waitingBytes > 0 || !(this.#quiet().length > 0 || this.#absent.isDue))
      return;
    const nothing = { rows: new Int32Array(0), halves: new Float16Array(0) };
    const to = this.#keys.map(() => ({ gradients: nothing, vectors: nothing }));
    const range = { first: this.#trained, last: this.#trained };
    this.#send({ to, waiting: this.#counts.waiting }, range);
  }

  sent(): Promise<void> {
    return this.#sender.sent();
  }

  stop(): void {
    this.#sender.stop();
  }

  /** Sends what came out of a batch; returns at once. */
  #send(outgoing: Outgoing, range: TrainedRange): void {
    this.#counts.waiting = outgoing.waiting;
    if (!this.#writes) return;
    const quiet = this.#quiet();
    const gradientParts = Math.max(...outgoing.to.map(({ gradients }) => this.#packing.parts(gradients)));
    // Empty parcels may be sent in the name of a later range than that of the batch that is still being trained.
    if (gradientParts > 0 && range.last !== this.#sentUpTo.last)
      this.#sentUpTo = { last: range.last, parts: 0 };
    const { relations } = outgoing;
    const wanted = Map.groupBy(this.#absent.take(), (row) => this.#homeOf(this.#parts.index.keyAt(row)!));
    const messages = outgoing.to.flatMap((parts, to) => {
      if (to === this.#shard.index) return [];
      const load = { ...parts, relations, wanted: wanted.get(to) ?? [] };
      return this.#parcels(to, range, load, quiet.includes(to) ? 1 : 0);
    });
    this.#sentUpTo.parts += gradientParts;
    this.#sender.send(messages);
  }

  #receiveVectors({ vectors }: Parcel, at: number, name: NameEntity): void {
    const width = this.#parts.model.dim + 1;
    this.#eachRow(vectors, (known, i, bytes) => {
      // The sender may have read an edge that this shard has not read yet. It will not send the vector again soon.
      const row = known < 0 ? this.#nameCopy(bytes, at, name) : known;
      if (row === undefined) return;
      this.#absent.remove(row);
      this.#open.vectors.push(row, vectors.halves.subarray(i * width, (i + 1) * width));
    });
    this.#counts.receivedVectors += vectors.count;
  }

  #nameCopy(bytes: Uint8Array, at: number, name: NameEntity): number | undefined {
    const type = this.#parts.model.entityTypes[bytes[0]!];
    const id = bytes.subarray(2);
    const key = type && isUtf8(id) ? entityKey(type, Buffer.from(id).toString()) : undefined;
    // An erased entity that is named again is asked for.
    if (!key || this.owns(key) || this.#parts.erased(key)) return undefined;
    return name(key, at, this.#homeOf(key));
  }

  #receiveGradients(parcel: Parcel): void {
    const { gradients, from } = parcel;
    const { dim } = this.#parts.model;
    if (gradients.count === 0) return;
    if (!this.#peers.isNew(parcel)) {
      this.#counts.repeatedGradients += gradients.count;
      return;
    }
    this.#eachRow(gradients, (row, i) => {
      if (row < 0) {
        this.#counts.strayGradients++;
        return;
      }
      this.#open.gradients.push(row, gradients.halves.subarray(i * dim, (i + 1) * dim));
      this.#open.uses(row, from);
    });
    this.#counts.receivedGradients += gradients.count;
  }

  /** The row of each name, −1 where it has none, with its place and its bytes. */
  #eachRow(
    { count, names }: Parcel['wanted'],
    visit: (row: number, i: number, name: Uint8Array) => void,
  ): void {
    for (let i = 0, start = 0, end = 0; i < count; i++, start = end) {
      end = nameEnd(names, start);
      visit(this.#parts.index.names.find(names, start, end), i, names.subarray(start, end));
    }
  }

  #homeOf(key: EntityKey): number {
    return shardOf(key, this.#shard.count);
  }

  #ownEntities(key: EntityKey, change: 1 | -1): void {
    const { entities } = this.#own;
    entities[typeOf(key)] = (entities[typeOf(key)] ?? 0) + change;
  }

  #quiet(): number[] {
    return this.#peers.unsentFor(this.#pace.quietMs);
  }

  /** least: parcels that are sent even where there is nothing to send. */
  #parcels(to: number, range: TrainedRange, load: Load, least: number): Message[] {
    const packed = this.#packing.pack(load, least);
    if (packed.length > 0) this.#peers.sent(to);
    const before = this.#sentUpTo.parts;
    return packed.map((contents, part) => {
      const parcel = { from: this.#shard.index, run: this.#run, ...range, part: before + part, ...contents };
      const value = encodeParcel(parcel, this.#parts.model.dim);
      this.#counts.sentBytes += value.length;
      this.#counts.sentGradients += parcel.gradients.count;
      this.#counts.sentVectors += parcel.vectors.count;
      return { topic: this.topic, key: this.#keys[to]!, value, headers: this.#headers };
    });
  }
}

/** The place of an edge between entities of any two shards, as one shard sees it. */
function placesIn({ index, count }: Shard): EdgePlace[] {
  return Array.from({ length: count * count }, (_, i) => {
    const [lhsOwner, rhsOwner] = [Math.floor(i / count), i % count];
    const [ownsLhs, ownsRhs] = [lhsOwner === index, rhsOwner === index];
    const trainer = trainingShard(lhsOwner, rhsOwner, count);
    const trainedBy = trainer === index ? undefined : trainer;
    return { here: ownsLhs || ownsRhs, lhsOwner, rhsOwner, ownsLhs, ownsRhs, trainedBy };
  });
}
