import type { EdgeChange, EdgeName } from '../edge.ts';
import type { EntityKey } from '../entity.ts';
import { type GraphStore, inBatches } from '../graph-store.ts';
import type { Head } from '../head.ts';
import { asBuffer } from '../layout.ts';
import { shardOf, trainingShard } from '../shard.ts';
import type { Entry } from '../store.ts';
import type { Findings } from './findings.ts';

/** Edges whose reverse entries are read in one request. */
const LOOK_UP = 1_000;

/** Edges counted in the store, live ones by relation. */
export interface EdgeCounts {
  readonly live: Record<string, number>;
  /** Live ones whose lhs the shard owns; all live ones where the graph is whole. */
  readonly own: Record<string, number>;
  removed: number;
  /** Entries of both directions. */
  forward: number;
  reverse: number;
}

type Direction = 'forward' | 'reverse';

/** An edge, its stored entry, and the value of its entry in the other direction (undefined where that entry is missing). */
interface EdgePair {
  readonly edge: EdgeChange;
  readonly entry: Entry;
  readonly other: Uint8Array | undefined;
}

/** Every edge beside its entry in the other direction. Unreadable entries are given to `damaged`. */
async function* edgePairs(
  store: GraphStore,
  direction: Direction,
  damaged: (entry: Entry) => void = () => {},
): AsyncIterable<EdgePair> {
  const { layout, entries } = store;
  for await (const batch of inBatches(edgesOf(store, direction, damaged), LOOK_UP)) {
    const keys = batch.map(({ edge }) =>
      direction === 'forward' ? layout.reverseKey(edge) : layout.edgeKey(edge),
    );
    const others = await entries.getMany(keys);
    for (const [i, each] of batch.entries()) yield { ...each, other: others[i] };
  }
}

async function* edgesOf(
  store: GraphStore,
  direction: Direction,
  damaged: (entry: Entry) => void,
): AsyncIterable<{ edge: EdgeChange; entry: Entry }> {
  const { edges, reverse } = store.layout.prefixes;
  for await (const entry of store.entries.scan(direction === 'forward' ? edges : reverse)) {
    const edge = readEdge(store, entry);
    if (edge === undefined) damaged(entry);
    else yield { edge, entry };
  }
}

/**
 * Checks that every live edge has its ends and that both directions agree. Of an edge that another shard trains, the far end has
 * no row. Memory: one batch. The ends are found by walking the entities beside the edges, which are stored in the same order.
 */
export async function checkEdges(
  store: GraphStore,
  findings: Findings,
  onProgress: (entries: number) => void,
  shard: Head['shard'],
): Promise<EdgeCounts> {
  const owns = (key: EntityKey) => shard === undefined || shardOf(key, shard.count) === shard.index;
  const trains = ({ lhs, rhs }: EdgeName) =>
    shard === undefined ||
    trainingShard(shardOf(lhs, shard.count), shardOf(rhs, shard.count), shard.count) === shard.index;
  const counts: EdgeCounts = { live: {}, own: {}, removed: 0, forward: 0, reverse: 0 };
  const damaged = ({ key }: Entry) => findings.add('entry-damaged', `edge ${asBuffer(key).toString('hex')}`);
  const lhs = new EntityWalk(store);
  for await (const { edge, entry, other } of edgePairs(store, 'forward', damaged)) {
    counts.forward++;
    if (edge.removed) counts.removed++;
    else counts.live[edge.relation] = (counts.live[edge.relation] ?? 0) + 1;
    if (!edge.removed && owns(edge.lhs)) counts.own[edge.relation] = (counts.own[edge.relation] ?? 0) + 1;
    if (!owns(edge.lhs) && !owns(edge.rhs)) findings.add('edge-strange', nameOf(edge));
    if (other === undefined) findings.add('reverse-missing', nameOf(edge));
    else if (Buffer.compare(entry.value, other) !== 0) findings.add('reverse-differs', nameOf(edge));
    if (!edge.removed && (owns(edge.lhs) || trains(edge)) && !(await lhs.has(edge.lhs)))
      findings.add('end-missing', `${edge.lhs} of ${nameOf(edge)}`);
    onProgress(1);
  }
  const rhs = new EntityWalk(store);
  for await (const { edge } of edgesOf(store, 'reverse', damaged)) {
    counts.reverse++;
    if (!edge.removed && (owns(edge.rhs) || trains(edge)) && !(await rhs.has(edge.rhs)))
      findings.add('end-missing', `${edge.rhs} of ${nameOf(edge)}`);
    onProgress(1);
  }
  // Reverse entries belong to one edge each. Where the counts agree there is none without an edge, and no second pass.
  if (counts.reverse !== counts.forward - findings.count('reverse-missing')) {
    for await (const { edge, other } of edgePairs(store, 'reverse')) {
      if (other === undefined) findings.add('reverse-extra', nameOf(edge));
    }
  }
  await lhs.end();
  await rhs.end();
  return counts;
}

function readEdge({ layout }: GraphStore, { key, value }: Entry): EdgeChange | undefined {
  try {
    const edge = { ...layout.edgeOf(key), ...layout.decodeEdge(value) };
    return Number.isFinite(edge.at) && (value[8] ?? 2) < 2 ? edge : undefined;
  } catch {
    // The caller reports the entry, with the bytes of its key.
    return undefined;
  }
}

function nameOf({ lhs, relation, rhs }: EdgeName): string {
  return `${lhs} ${relation} ${rhs}`;
}

/** Tells whether entities exist, for questions that come in the store's own order: one scan answers all of them. */
class EntityWalk {
  readonly #store: GraphStore;
  readonly #entries: AsyncIterator<Entry>;
  #current: Entry | undefined;
  #started = false;
  #asked: EntityKey | undefined;
  #answer = false;

  constructor(store: GraphStore) {
    this.#store = store;
    this.#entries = store.entries.scan(store.layout.prefixes.entities)[Symbol.asyncIterator]();
  }

  async has(entity: EntityKey): Promise<boolean> {
    if (entity === this.#asked) return this.#answer;
    const key = this.#store.layout.entityKey(entity);
    while (!this.#started || (this.#current && Buffer.compare(this.#current.key, key) < 0)) {
      const next = await this.#entries.next();
      this.#started = true;
      this.#current = next.done ? undefined : next.value;
    }
    this.#asked = entity;
    this.#answer = this.#current !== undefined && Buffer.compare(this.#current.key, key) === 0;
    return this.#answer;
  }

  async end(): Promise<void> {
    await this.#entries.return?.();
  }
}
