import { createHash } from 'node:crypto';
import { FatalError } from '../errors/errors.ts';
import type { EdgeName, EdgeState, Relation } from './edge.ts';
import { type EntityKey, entityKey, isOfType, MAX_ID_BYTES, typeOf, writeId } from './entity.ts';
import { DELETED, type WriteBatch } from './write-batch.ts';

/**
 * Byte layout of a graph in a store. Numbers in keys are big-endian so that keys sort as numbers do; numbers in
 * values are little-endian.
 *
 *     m                                  head: JSON
 *     n <page u64>                       of 64 rows, one after the other: <entity>, or 255 u8 for a row without one
 *     s <number u64>                     states: turn, from, to, n u32 | updates, first seen, last seen f64, of the n rows
 *                                        at the end and of those from `from` to before `to` | n rows u32
 *     e <lhs> <relation u8> <rhs>        at f64 | removed u8
 *     i <rhs> <relation u8> <lhs>        the same value: the edge in the reverse direction
 *     j <commit u64>                     what the trainer was given for the commit, in a format of its own
 *     x <sha-256 of the entity's key>    at f64: erased at that time; older events are late
 *
 *     <entity>: type u8 | length of id less one, u8 | id, UTF-8
 *
 * Edges are keyed by names, not rows. So a removal can be remembered for entities without a row, the edges of an entity
 * are one range, and a digest over a scan does not depend on the order in which rows were given out.
 */
const HEAD = 0x6d;
const NAMES = 0x6e;
const STATES = 0x73;
const EDGE = 0x65;
const REVERSE = 0x69;
const JOURNAL = 0x6a;
const ERASED = 0x78;

/** Rows whose names lie in one entry. */
export const PAGE_ROWS = 64;
const EDGE_VALUE_BYTES = 9;
const NUMBERED_KEY_BYTES = 9;
const ERASED_KEY_BYTES = 33;
/** Bytes shown of damaged entries. */
const SHOWN_BYTES = 600;

export class Layout {
  readonly entityTypes: readonly string[];
  readonly relations: readonly Relation[];
  readonly dim: number;
  readonly #typeIndex: ReadonlyMap<string, number>;
  readonly #relationIndex: ReadonlyMap<string, number>;
  /** Scratch for a key, and for the value of an edge. */
  readonly #key = Buffer.alloc(2 * (3 + MAX_ID_BYTES));
  readonly #edge = Buffer.alloc(EDGE_VALUE_BYTES);

  constructor(options: { entityTypes: readonly string[]; relations: readonly Relation[]; dim: number }) {
    this.entityTypes = options.entityTypes;
    this.relations = options.relations;
    this.dim = options.dim;
    this.#typeIndex = new Map(options.entityTypes.map((type, i) => [type, i]));
    this.#relationIndex = new Map(options.relations.map(({ name }, i) => [name, i]));
  }

  typeIndex(type: string): number | undefined {
    return this.#typeIndex.get(type);
  }

  relationIndex(relation: string): number | undefined {
    return this.#relationIndex.get(relation);
  }

  headKey(): Buffer {
    return Buffer.of(HEAD);
  }

  namesKey(page: number): Buffer {
    return numbered(NAMES, page);
  }

  statesKey(number: number): Buffer {
    return numbered(STATES, number);
  }

  journalKey(commit: number): Buffer {
    return numbered(JOURNAL, commit);
  }

  erasedKey(entity: EntityKey): Buffer {
    return Buffer.concat([Buffer.of(ERASED), createHash('sha256').update(entity).digest()]);
  }

  /** An edge's key as text, a character for each byte: what maps know the edge by. */
  edgeId({ lhs, relation, rhs }: EdgeName): string {
    const key = this.#key;
    key[0] = EDGE;
    const at = this.#write(key, 1, lhs);
    key[at] = this.#index(this.#relationIndex, relation, 'relation');
    return key.toString('latin1', 0, this.#write(key, at + 1, rhs));
  }

  /** The key that is {@link edgeId}. */
  keyOf(edgeId: string): Buffer {
    return Buffer.from(edgeId, 'latin1');
  }

  /** Puts both entries of an {@link edgeId} into a batch, or deletes them where there is no state. */
  putEdge(batch: WriteBatch, edgeId: string, state: EdgeState | null): void {
    const { length } = edgeId;
    const valueBytes = state === null ? DELETED : EDGE_VALUE_BYTES;
    const key = batch.open(length, valueBytes);
    const { bytes } = batch;
    bytes.write(edgeId, key, 'latin1');
    if (state !== null) bytes.set(this.encodeEdge(state), key + length);
    const turned = batch.open(length, valueBytes);
    turn(bytes, key, key + length, batch.bytes, turned);
    if (state !== null) bytes.copy(batch.bytes, turned + length, key + length, key + length + valueBytes);
  }

  /** Tells of an {@link edgeId} whether the edge has the entity at an end. */
  touching(entity: EntityKey): (edgeId: string) => boolean {
    if (this.typeIndex(typeOf(entity)) === undefined) return () => false;
    const out = this.prefixes.edgesOut(entity).toString('latin1');
    const name = out.slice(1);
    const atSecond = (id: string) => id.length - name.length === 5 + id.charCodeAt(2);
    return (id) => id.startsWith(out) || (id.endsWith(name) && atSecond(id));
  }

  /** The key of an edge's other entry: of the reverse one where this is the key of the edge, and vice versa. */
  turned(key: Uint8Array): Buffer {
    const turned = Buffer.allocUnsafe(key.length);
    turn(key, 0, key.length, turned, 0);
    return turned;
  }

  /** Prefixes: all keys of a kind; the edges out and in of one entity. */
  prefixes = {
    names: Buffer.of(NAMES),
    states: Buffer.of(STATES),
    edges: Buffer.of(EDGE),
    reverse: Buffer.of(REVERSE),
    journal: Buffer.of(JOURNAL),
    erased: Buffer.of(ERASED),
    edgesOut: (entity: EntityKey) => this.#named(EDGE, entity),
    edgesIn: (entity: EntityKey) => this.#named(REVERSE, entity),
  };

  /** The entity whose name begins there, unless said after the first byte of a key. */
  entityOf(bytes: Uint8Array, at = 1): EntityKey {
    return this.#decode(bytes, at)[0];
  }

  /** Whether the key is of kind `x`. */
  isErasedKey(key: Uint8Array): boolean {
    return key[0] === ERASED && key.length === ERASED_KEY_BYTES;
  }

  /** The commit, the page or the number in a key of kind `j`, `n` or `s`. */
  numberOf(key: Uint8Array): number {
    if (key.length !== NUMBERED_KEY_BYTES) throw damaged('key', key);
    return Number(asBuffer(key).readBigUInt64BE(1));
  }

  /** The edge that a key of kind `e` or `i` names. */
  edgeOf(key: Uint8Array): EdgeName {
    const [first, afterFirst] = this.#decode(key, 1);
    const relation = this.relations[this.relationIn(key)];
    const [second] = this.#decode(key, afterFirst + 1);
    const [lhs, rhs] = key[0] === EDGE ? [first, second] : [second, first];
    return { lhs, relation: relation?.name ?? '', rhs };
  }

  /** The end of the first entity in a key, which starts at 1. The second entity of an edge starts one byte after the end. */
  firstEnd(key: Uint8Array): number {
    return 4 + (key[2] ?? 0);
  }

  /** The relation's index in an edge's key. @throws FatalError where the lengths in the key do not add up to its length. */
  relationIn(edgeKey: Uint8Array): number {
    const at = this.firstEnd(edgeKey);
    const relation = edgeKey[at] ?? 255;
    const end = at + 4 + (edgeKey[at + 2] ?? 0);
    if (relation >= this.relations.length || end !== edgeKey.length) throw damaged('key', edgeKey);
    return relation;
  }

  /** Valid until the next call. */
  encodeEdge(state: EdgeState): Buffer {
    this.#edge.writeDoubleLE(state.at, 0);
    this.#edge[8] = state.removed ? 1 : 0;
    return this.#edge;
  }

  decodeEdge(value: Uint8Array): EdgeState {
    return { removed: this.isRemoved(value), at: asBuffer(value).readDoubleLE(0) };
  }

  /** `removed` of {@link decodeEdge}, without an object. */
  isRemoved(edgeValue: Uint8Array): boolean {
    if (edgeValue.length !== EDGE_VALUE_BYTES) throw damaged('value', edgeValue);
    return edgeValue[8] === 1;
  }

  #named(kind: number, entity: EntityKey): Buffer {
    const end = this.#write(this.#key, 1, entity);
    this.#key[0] = kind;
    return Buffer.from(this.#key.subarray(0, end));
  }

  /** Writes an entity and returns where it ends. */
  #write(into: Buffer, at: number, entity: EntityKey): number {
    const type = this.#typeOf(entity);
    const end = writeId(into, at + 2, entity, this.entityTypes[type]!.length + 1);
    into[at] = type;
    into[at + 1] = end - at - 3;
    return end;
  }

  #typeOf(entity: EntityKey): number {
    for (let i = 0; i < this.entityTypes.length; i++) if (isOfType(entity, this.entityTypes[i]!)) return i;
    return this.#index(this.#typeIndex, typeOf(entity), 'entity type');
  }

  #decode(key: Uint8Array, start: number): [EntityKey, end: number] {
    const type = this.entityTypes[key[start] ?? 255];
    const end = start + 3 + (key[start + 1] ?? 0);
    if (type === undefined || end > key.length) throw damaged('key', key);
    return [entityKey(type, asBuffer(key).toString('utf8', start + 2, end)), end];
  }

  #index(indices: ReadonlyMap<string, number>, name: string, what: string): number {
    const index = indices.get(name);
    if (index === undefined)
      throw new FatalError('fault', `the graph has no ${what} ${JSON.stringify(name)}`);
    return index;
  }
}

/** Writes, from `to` on, the key of the other entry of the edge whose key is from `start` to before `end`. */
function turn(key: Uint8Array, start: number, end: number, into: Uint8Array, to: number): void {
  const relation = start + 4 + key[start + 2]!;
  let at = to;
  into[at++] = key[start] === EDGE ? REVERSE : EDGE;
  for (let i = relation + 1; i < end; i++) into[at++] = key[i]!;
  into[at++] = key[relation]!;
  for (let i = start + 1; i < relation; i++) into[at++] = key[i]!;
}

function numbered(kind: number, number: number): Buffer {
  const key = Buffer.allocUnsafe(NUMBERED_KEY_BYTES);
  key[0] = kind;
  key.writeBigUInt64BE(BigInt(number), 1);
  return key;
}

/** A Buffer on the same bytes, not a copy. */
export function asBuffer(bytes: ArrayBufferView): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function damaged(what: string, bytes: Uint8Array): FatalError {
  const shown = asBuffer(bytes).toString('hex', 0, SHOWN_BYTES);
  return new FatalError('store-damaged', `the store holds an impossible ${what}: ${shown}`);
}

/** What a store keeps of an entity besides its name and its vector. Times are epoch ms of events. */
export interface EntityState {
  readonly row: number;
  /** Trained edges with the entity at an end. */
  readonly updates: number;
  readonly firstSeen: number;
  readonly lastSeen: number;
}
