import type { RecordLimits } from '../../../topics/record.ts';
import type { EventTopic } from '../../../topics/topic.ts';
import { type EdgeChange, type EdgeState, judge, type Verdict } from '../../graph/edge.ts';
import { type EntityKey, typeOf } from '../../graph/entity.ts';
import type { EdgePlace } from '../neighbours.ts';
import type { RecordContent, SourceRecord } from '../ports.ts';
import type { OpenBatch } from '../training/open-batch.ts';
import type { EdgeFilter } from './edge-filter.ts';
import { erase, type Fetched, type KnownGraph } from './erase.ts';
import { readContent } from './record-content.ts';

export interface ReadRecord extends RecordContent {
  readonly record: SourceRecord;
  /** [n] `Layout.edgeId` of each change; undefined for an erasure, and for an edge that is not of this graph or part of it. */
  readonly ids: readonly (string | undefined)[];
  /** [n] whose each change is that is an edge. */
  readonly places: readonly EdgePlace[];
  /** Whether none of its edges was ever read before. */
  isFresh: boolean;
}

export interface IngestOptions extends KnownGraph {
  /** By the topic's full name on the log. */
  readonly topics: ReadonlyMap<string, EventTopic>;
  readonly limits: RecordLimits;
  /** Has every edge of the store, once it is complete. */
  readonly stored: EdgeFilter;
}

/**
 * Turns records into edges: reads and checks each record, compares it with what is known of its edges, and notes what the
 * record does in the open batch (for the trainer) and in the open commit (for the store).
 */
export class Ingest {
  readonly #graph: IngestOptions;

  constructor(graph: IngestOptions) {
    this.#graph = graph;
  }

  /** Reads records and fetches what the store knows of the edges they name. */
  async read(records: readonly SourceRecord[]): Promise<{ reads: ReadRecord[]; fetched: Fetched }> {
    const reads = records.map((record) => this.#read(record));
    const edges = new Map<string, EdgeState | undefined>();
    const wanted: string[] = [];
    const erased = new Set<EntityKey>();
    this.#graph.unwritten.prune();
    for (const read of reads) {
      for (const id of read.ids) {
        if (id === undefined || this.#graph.stored.add(id)) continue;
        read.isFresh = false;
        if (edges.has(id) || this.#graph.unwritten.get(id) !== undefined) continue;
        edges.set(id, undefined);
        wanted.push(id);
      }
      for (const change of read.changes) if ('erased' in change) erased.add(change.erased);
    }
    for (const [i, state] of (await this.#graph.store.readEdges(wanted)).entries())
      edges.set(wanted[i]!, state);
    const edgesOf = new Map<EntityKey, EdgeChange[]>();
    for (const entity of erased) {
      if (this.#graph.store.layout.typeIndex(typeOf(entity)) === undefined) continue;
      edgesOf.set(entity, await Array.fromAsync(this.#graph.store.edgesOf(entity)));
    }
    return { reads, fetched: { edges, edgesOf } };
  }

  /** Applies one record. Must be called in the order read, before the next `read`. */
  apply(read: ReadRecord, fetched: Fetched, batch: OpenBatch): void {
    if (read.record.topic === this.#graph.neighbours.topic) {
      this.#graph.neighbours.receive(read.record, (key, at, owner) => this.#name(key, at, owner, batch));
      return;
    }
    this.#graph.counters.events.consumed++;
    if (read.problem) {
      this.#graph.counters.events.rejected++;
      return;
    }
    let best: Verdict | undefined;
    for (let i = 0; i < read.changes.length; i++) {
      const change = read.changes[i]!;
      const id = read.ids[i];
      let verdict: Verdict;
      if ('erased' in change) verdict = erase(this.#graph, change, fetched, batch);
      else if (id === undefined) continue;
      else {
        const known = read.isFresh ? undefined : this.#known(id, fetched);
        verdict = this.#applyEdge(change, id, known, read.places[i]!, batch);
      }
      if (best === undefined || best === 'late' || verdict === 'new' || verdict === 'newer') best = verdict;
    }
    if (best === 'duplicate') this.#graph.counters.events.duplicate++;
    else if (best === 'late') this.#graph.counters.events.late++;
  }

  #read(record: SourceRecord): ReadRecord {
    if (record.topic === this.#graph.neighbours.topic)
      return { record, ids: [], places: [], changes: [], isFresh: true };
    const { topics, limits } = this.#graph;
    const { changes, problem } = record.content ?? readContent(record, topics, limits);
    const places = this.#graph.neighbours.placesOf(changes);
    const { layout } = this.#graph.store;
    const ids = changes.map((change, i) => {
      const isOther = 'erased' in change || layout.relationIndex(change.relation) === undefined;
      return isOther || !places[i]!.here ? undefined : layout.edgeId(change);
    });
    return { record, ids, places, isFresh: true, changes, problem };
  }

  /** What is known of an edge now. An erased edge is unknown. */
  #known(id: string, fetched: Fetched): EdgeState | undefined {
    const unwritten = this.#graph.unwritten.get(id);
    return unwritten === undefined ? fetched.edges.get(id) : (unwritten ?? undefined);
  }

  #applyEdge(
    change: EdgeChange,
    id: string,
    known: EdgeState | undefined,
    place: EdgePlace,
    batch: OpenBatch,
  ): Verdict {
    if (this.#erasedSince(change.lhs, change.at) || this.#erasedSince(change.rhs, change.at)) return 'late';
    const verdict = judge(known, change);
    if (verdict === 'duplicate' || verdict === 'late') return verdict;

    // Not the change itself: its names would stay in memory until the commit is written.
    const state = { at: change.at, removed: change.removed };
    this.#graph.unwritten.open.edges.set(id, state);
    const before = known !== undefined && !known.removed;
    const now = !change.removed;
    this.#graph.counters.watermark = Math.max(this.#graph.counters.watermark, change.at);
    this.#graph.counters.edgeChanged(change.relation, before, now);
    this.#graph.neighbours.edgeChanged(change, place, before, now);
    if (place.trainedBy === undefined) this.#noteRows(change, place, before, now, batch);
    else this.#noteOwnRow(change, place, place.trainedBy, now, batch);
    return verdict;
  }

  /** An edge that another part trains gives no row to its far end. That part has a copy of the own end. */
  #noteOwnRow(change: EdgeChange, place: EdgePlace, trainer: number, now: boolean, batch: OpenBatch): void {
    const [key, owner] = place.ownsLhs ? [change.lhs, place.lhsOwner] : [change.rhs, place.rhsOwner];
    const row = this.#row(key, owner, change.at, now, batch);
    if (row === undefined) return;
    this.#graph.index.saw(row, change.at, now);
    this.#graph.unwritten.open.touched.add(row);
    if (!now) return;
    this.#graph.neighbours.holds(trainer, row);
    this.#graph.unwritten.open.trained++;
  }

  #noteRows(change: EdgeChange, place: EdgePlace, before: boolean, now: boolean, batch: OpenBatch): void {
    const commit = this.#graph.unwritten.open;
    const relation = this.#graph.store.layout.relationIndex(change.relation) ?? 0;
    const lhs = this.#row(change.lhs, place.lhsOwner, change.at, now, batch);
    const rhs = this.#row(change.rhs, place.rhsOwner, change.at, now, batch);
    if (lhs === undefined || rhs === undefined) return;
    for (const row of [lhs, rhs]) {
      this.#graph.index.saw(row, change.at, now);
      commit.touched.add(row);
    }
    batch.changed(lhs, relation, rhs, before, now);
    if (now) commit.trained++;
  }

  /** The entity's row. An unknown entity gets one, unless the event is a removal. */
  #row(key: EntityKey, owner: number, at: number, make: boolean, batch: OpenBatch): number | undefined {
    const known = this.#graph.index.find(key);
    return known === undefined && make ? this.#name(key, at, owner, batch) : known;
  }

  #name(key: EntityKey, at: number, owner: number, batch: OpenBatch): number {
    const type = this.#graph.store.layout.typeIndex(typeOf(key)) ?? 0;
    const next = this.#graph.index.nextRow;
    const row = this.#graph.index.add(key, at);
    if (row === next) batch.newEntity(type);
    else batch.newEntityOn(row, type);
    this.#graph.unwritten.open.touched.add(row);
    this.#graph.neighbours.named(row, key, owner);
    return row;
  }

  #erasedSince(key: EntityKey, at: number): boolean {
    if (this.#graph.erasedAt.size === 0) return false;
    return at <= (this.#graph.erasedAt.get(this.#graph.store.erasedName(key)) ?? Number.NEGATIVE_INFINITY);
  }
}
