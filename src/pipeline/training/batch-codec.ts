import { deserialize, serialize } from 'node:v8';
import { FatalError, MAKE_AGAIN, reasonOf } from '../../errors/errors.ts';
import { type EdgeRows, edgeRows, firstOf } from '../../graph/edge.ts';
import type { EntityKey } from '../../graph/entity.ts';
import type { TrainBatch } from './trainer.ts';

/*
 * A batch as numbers, in one buffer that moves to the trainer's thread:
 *
 *     the length of each part i32 | the parts, in the order of PARTS, i32 each
 *
 * A change of an edge is three numbers: lhs | rhs | relation · 256 + bits.
 */
const PARTS = ['newTypes', 'reusedRows', 'reusedTypes', 'dropped', 'reset', 'changes'] as const;

/** Bits of a change: the edge is to be trained; it becomes live; it is live no more. */
export const TRAINED = 1;
export const ADDED = 2;
export const REMOVED = 4;

export const CHANGE_NUMBERS = 3;

interface Parts<List> {
  /** [n] type index of each entity first named here; their rows follow the last row in use, in this order. */
  readonly newTypes: List;
  /** Rows of erased entities that have new entities now, ascending, and [n] the type index of each. */
  readonly reusedRows: List;
  readonly reusedTypes: List;
  /** Rows of erased entities: zeroed, and not sampled until they are used again. */
  readonly dropped: List;
  /** Rows that start again like new ones: their entities were erased, but newer events name them. */
  readonly reset: List;
  /** What events did to edges, in the order of arrival. */
  readonly changes: List;
}

/** A batch's parts, as views of its numbers. */
export interface BatchParts extends Parts<Int32Array> {
  /** The edges to train on, in the order of arrival; none touches a dropped row. */
  readonly edges: EdgeRows;
}

export function encodeBatch(parts: Parts<ArrayLike<number>>): Int32Array<ArrayBuffer> {
  const lists = PARTS.map((part) => parts[part]);
  const numbers = new Int32Array(lists.reduce((sum, { length }) => sum + length, lists.length));
  let at = lists.length;
  for (const [i, list] of lists.entries()) {
    numbers[i] = list.length;
    numbers.set(list, at);
    at += list.length;
  }
  return numbers;
}

export function decodeBatch(numbers: Int32Array): BatchParts {
  let end: number = PARTS.length;
  const take = (part: (typeof PARTS)[number]) => {
    const from = end;
    end += numbers[PARTS.indexOf(part)]!;
    return numbers.subarray(from, end);
  };
  const [newTypes, reusedRows, reusedTypes] = [take('newTypes'), take('reusedRows'), take('reusedTypes')];
  const [dropped, reset, changes] = [take('dropped'), take('reset'), take('changes')];
  return { newTypes, reusedRows, reusedTypes, dropped, reset, changes, edges: trainedBy(changes) };
}

/** Gives each edge that becomes live or is live no more, in the order of arrival. */
export function eachChange(
  changes: Int32Array,
  visit: (lhs: number, relation: number, rhs: number, live: boolean) => void,
): void {
  for (let at = 0; at < changes.length; at += CHANGE_NUMBERS) {
    const bits = changes[at + 2]!;
    if ((bits & (ADDED | REMOVED)) === 0) continue;
    visit(changes[at]!, bits >> 8, changes[at + 1]!, (bits & ADDED) > 0);
  }
}

function trainedBy(changes: Int32Array): EdgeRows {
  const edges = edgeRows(changes.length / CHANGE_NUMBERS);
  const { lhs, relation, rhs } = edges;
  let count = 0;
  for (let at = 0; at < changes.length; at += CHANGE_NUMBERS) {
    if ((changes[at + 2]! & TRAINED) === 0) continue;
    lhs[count] = changes[at]!;
    rhs[count] = changes[at + 1]!;
    relation[count] = changes[at + 2]! >> 8;
    count++;
  }
  return firstOf(edges, count);
}

/** What a commit leaves in the journal. */
export interface JournalEntry {
  /** What the trainer was given since the commit before. */
  readonly batches: readonly TrainBatch[];
  /** Entities that are to be published whatever the training makes of them, or whose tombstone is. */
  readonly due: readonly EntityKey[];
  /** Rows that were published once the training had come to the commit `of`. */
  readonly published: Int32Array;
  readonly of: number;
}

/** Rises with each change of an entry or a batch. */
const JOURNAL_FORMAT = 2;

/** A batch in V8's serialization: it is the trainer's once it is handed over. */
export function packBatch(batch: TrainBatch): Buffer {
  return serialize(batch);
}

/** An entry as it is stored: its format in a byte, then V8's serialization. batches: as {@link packBatch} makes them. */
export function encodeJournal(
  batches: readonly Uint8Array[],
  due: readonly EntityKey[],
  published: Int32Array = new Int32Array(0),
  of = 0,
): Buffer {
  return Buffer.concat([Buffer.of(JOURNAL_FORMAT), serialize({ batches, due, published, of })]);
}

/** @throws FatalError `store-damaged` where the bytes are no entry, or one of another version. */
export function decodeJournal(bytes: Uint8Array): JournalEntry {
  try {
    if (bytes[0] !== JOURNAL_FORMAT) throw new Error(`its format is ${bytes[0]}, not ${JOURNAL_FORMAT}`);
    const { batches, ...rest } = deserialize(bytes.subarray(1));
    // Each in memory of its own, which may move to another thread: what V8 gives are views of what it reads.
    return { ...rest, batches: batches.map((batch: Uint8Array) => deserialize(Uint8Array.from(batch))) };
  } catch (error) {
    const message = `an entry of the journal can't be read: ${reasonOf(error)}; ${MAKE_AGAIN}`;
    throw new FatalError('store-damaged', message, { cause: error });
  }
}
