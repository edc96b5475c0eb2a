import type { EdgeChange, EdgeName, GraphChange } from '../graph/edge.ts';
import type { EntityKey } from '../graph/entity.ts';
import type { EntityIndex } from '../graph/entity-index.ts';
import type { Head, ModelIdentity } from '../graph/head.ts';
import type { Layout } from '../graph/layout.ts';
import type { TrainsEdge } from '../graph/live-edges.ts';
import type { Log } from '../log.ts';
import type { Sink, SourceRecord } from './ports.ts';
import type { Outgoing, Unsent } from './training/shard-batch.ts';
import type { TrainBatch } from './training/trainer.ts';

/** Whose an edge is. Edges share these: none is made for an edge. */
export interface EdgePlace {
  /** Whether an end is this updater's, so that it stores the edge. */
  readonly here: boolean;
  /** The parts of the graph that own the ends, and which of these ends are this updater's. */
  readonly lhsOwner: number;
  readonly rhsOwner: number;
  readonly ownsLhs: boolean;
  readonly ownsRhs: boolean;
  /** The other part that trains the edge, with a copy of the own end; undefined where this updater trains it. */
  readonly trainedBy: number | undefined;
}

/** What another part of the graph is known by. Times are epoch ms. */
export interface Peer {
  readonly shard: number;
  /** When the newest parcel of it that this process received was written to the log; undefined before the first. */
  readonly heardAt: number | undefined;
  /** `heardAt`, or when this process began to listen. */
  readonly silentSince: number;
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

/** What the parts of a graph sent each other, and those that are known, for people and metrics. */
export interface ExchangeProgress extends Readonly<ExchangeCounts> {
  /** Copies of other shards' entities, and vectors that were asked for since the process began. */
  readonly copies: number;
  readonly asked: number;
  readonly peers: readonly Peer[];
  /** Time from the writing of vectors to the log until they join a batch, ms, over parcels received lately. */
  readonly vectorAgeMs: { readonly p50: number | undefined; readonly p99: number | undefined };
}

/** What of a batch joins it to other parts of the graph. */
export interface Handed {
  /** What is put beside the batch's own. */
  readonly part: Pick<TrainBatch, 'shard'>;
  /** Takes what came out of the batch for the others. */
  trained(outgoing: Outgoing | undefined): void;
}

/** Gives a new entity a row. at: when it is seen first, epoch ms. */
export type NameEntity = (key: EntityKey, at: number, owner: number) => number;

/**
 * The other parts of an updater's graph, as its pipeline knows them: the one place that asks whether there are any. Records come in
 * the order read; a batch is handed over, and a commit asked for, as of the last record applied.
 */
export interface Neighbours {
  /** Full name of the topic in which they send; empty where the graph is whole. */
  readonly topic: string;
  /** [n] the place of each change that is an edge. */
  placesOf(changes: readonly GraphChange[]): readonly EdgePlace[];
  placeOf(edge: Pick<EdgeName, 'lhs' | 'rhs'>): EdgePlace;
  owns(key: EntityKey): boolean;
  /** Takes a record of `topic` into the open batch. name: for entities that an edge read elsewhere named first. */
  receive(record: SourceRecord, name: NameEntity): void;
  /** Notes that an edge changed from live or not to live or not. */
  edgeChanged(change: EdgeChange, place: EdgePlace, before: boolean, now: boolean): void;
  /** Notes that another part trains a live edge with the own row, and so has a copy of it. */
  holds(part: number, row: number): void;
  /** Notes that a new entity got a row, that an entity starts again, or that its row is dropped. */
  named(row: number, key: EntityKey, owner: number): void;
  reset(row: number, key: EntityKey): void;
  dropped(row: number, key: EntityKey): void;
  /** Whether a batch without edges of its own has nothing for the trainer, and whether one has all that a batch may hold. */
  readonly idle: boolean;
  isFull(batchEdges: number): boolean;
  /** Ends the open batch, of `edges` new edges. */
  hand(edges: number): Handed;
  /** What a commit writes of it, as of now. */
  head(): Pick<Head, 'shard'>;
  /** Resolves once all that trained batches had for the others is acknowledged. @throws what ended the sending. */
  sent(): Promise<void>;
  /** Whether so much of it waits for the brokers that reading is to pause. */
  readonly behind: boolean;
  /** Begins to send: this process is the one writer. What it trained before is not sent, but for `NeighbourParts.unsent`. */
  begin(): void;
  /** Does what is due by time. To be called now and then. */
  look(): void;
  /** Ends the wait for brokers that can't be reached. */
  stop(): void;
  /** undefined where the graph is whole. */
  readonly progress: ExchangeProgress | undefined;
}

/** The parts of a pipeline that its neighbours work on. */
export interface NeighbourParts {
  readonly head: Head | undefined;
  readonly model: ModelIdentity;
  readonly index: EntityIndex;
  /** Rows of copies that have no vector. */
  readonly absent: Int32Array;
  /** What came out of the journal's batches, of those that were not acknowledged by the last commit. */
  readonly unsent: readonly Unsent[];
  /** The training that the updater takes part in. */
  readonly space: string;
  /** Whether the entity was erased. */
  erased(key: EntityKey): boolean;
  readonly sink: Sink;
  readonly log: Log;
  clock(): number;
  failed(error: Error): void;
}

/** The other parts of a graph before the updater's store is loaded. */
export interface Neighbourhood {
  /** Full names of the topics that are followed beside the events. */
  readonly topics: readonly string[];
  /** The one of them whose records go before all others: what is in them ages; empty: none. */
  readonly urgent: string;
  /** Whether all parts train in one space, whoever writes. */
  readonly together: boolean;
  /** The space of a store that has none. fresh: a name for one of its own. Waits while the log is out of reach. */
  space(fresh: string, stopping: AbortSignal): Promise<string>;
  /** Tells which of a store's edges the trainer learns; index: its entities, all loaded. */
  trains(index: EntityIndex, layout: Layout): TrainsEdge;
  open(parts: NeighbourParts): Neighbours;
}

const WHOLE: EdgePlace = {
  here: true,
  lhsOwner: 0,
  rhsOwner: 0,
  ownsLhs: true,
  ownsRhs: true,
  trainedBy: undefined,
};
const NOTHING: Handed = { part: {}, trained() {} };

/** The neighbours of a whole graph: none. */
export function noNeighbours(): Neighbours {
  // As many as the longest record has changes.
  const places: EdgePlace[] = [];
  return {
    topic: '',
    idle: true,
    behind: false,
    progress: undefined,
    placesOf({ length }) {
      while (places.length < length) places.push(WHOLE);
      return places;
    },
    placeOf: () => WHOLE,
    owns: () => true,
    isFull: () => false,
    hand: () => NOTHING,
    head: () => ({}),
    sent: async () => {},
    receive() {},
    edgeChanged() {},
    holds() {},
    named() {},
    reset() {},
    dropped() {},
    begin() {},
    look() {},
    stop() {},
  };
}

export const alone: Neighbourhood = {
  topics: [],
  urgent: '',
  together: false,
  space: async (fresh) => fresh,
  trains: () => () => true,
  open: noNeighbours,
};
