import { z } from 'zod';
import { reasonOf, ShapeError } from '../../errors/errors.ts';
import type { EdgeChange, GraphChange } from '../../graph/edge.ts';
import { parseEntityKey } from '../../graph/entity.ts';

/** A record that does something to a shard’s part of the graph. */
export interface RoutedRecord {
  readonly offset: number;
  /** The log’s time of the record, epoch ms. */
  readonly timestamp: number;
  readonly changes: readonly GraphChange[];
}

/**
 * What one partition of an event topic holds for one shard, from an offset to before another: whatever is not among `records`
 * does not concern the shard.
 */
export interface RoutedStretch {
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  readonly until: number;
  readonly records: readonly RoutedRecord[];
}

const VERSION = 1;
const ERASED = -1;
const offset = z.int().min(0);

/**
 * A stretch as columns, with a row for each change. JSON, for its parser is part of the engine, and faster than any that reads
 * bytes in JavaScript.
 */
const columns = z.strictObject({
  version: z.literal(VERSION),
  topic: z.string(),
  partition: offset,
  from: offset,
  until: offset,
  /** Names that `kinds` refer to. */
  relations: z.array(z.string()),
  /** Of each change the offset of its record, after `from`. */
  offsets: z.array(offset),
  /** Of each change the log’s time of its record, epoch ms. */
  timestamps: z.array(z.number()),
  /** -1: `lhs` is erased; else twice the index of the relation, and one more where the edge is removed. */
  kinds: z.array(z.int().min(ERASED)),
  lhs: z.array(z.string()),
  /** Empty where `lhs` is erased. */
  rhs: z.array(z.string()),
  /** The event’s own time, epoch ms. */
  at: z.array(z.number()),
});
type Columns = z.infer<typeof columns>;

export function encodeStretch({ records, ...place }: RoutedStretch): Buffer {
  const relations = new Map<string, number>();
  const into: Columns = {
    version: VERSION,
    ...place,
    relations: [],
    offsets: [],
    timestamps: [],
    kinds: [],
    lhs: [],
    rhs: [],
    at: [],
  };
  for (const { offset, timestamp, changes } of records) {
    for (const change of changes) {
      into.offsets.push(offset - place.from);
      into.timestamps.push(timestamp);
      into.at.push(change.at);
      if ('erased' in change) {
        into.kinds.push(ERASED);
        into.lhs.push(change.erased);
        into.rhs.push('');
        continue;
      }
      const relation = relations.get(change.relation) ?? relations.size;
      relations.set(change.relation, relation);
      into.kinds.push(2 * relation + Number(change.removed));
      into.lhs.push(change.lhs);
      into.rhs.push(change.rhs);
    }
  }
  into.relations.push(...relations.keys());
  return Buffer.from(JSON.stringify(into));
}

/** @throws ShapeError where the bytes are no stretch. */
export function decodeStretch(value: Uint8Array | null): RoutedStretch {
  if (value === null) throw badStretch('it has no value');
  try {
    const rows = columns.parse(JSON.parse(Buffer.from(value).toString()));
    const { topic, partition, from, until } = rows;
    return { topic, partition, from, until, records: recordsOf(rows) };
  } catch (error) {
    if (error instanceof ShapeError) throw error;
    const reason =
      error instanceof z.ZodError ? z.prettifyError(error).replaceAll('\n', ' ') : reasonOf(error);
    throw badStretch(reason);
  }
}

function recordsOf(rows: Columns): RoutedRecord[] {
  const { from, until } = rows;
  const { length } = rows.offsets;
  const uneven = [rows.timestamps, rows.kinds, rows.lhs, rows.rhs, rows.at].some(
    (each) => each.length !== length,
  );
  if (uneven || from > until) throw badStretch('its columns do not fit together');
  const records: { offset: number; timestamp: number; changes: GraphChange[] }[] = [];
  let open: (typeof records)[number] | undefined;
  for (let i = 0; i < length; i++) {
    const offset = from + rows.offsets[i]!;
    if (offset !== open?.offset) {
      if (offset >= until || (open !== undefined && offset < open.offset))
        throw badStretch(`it has offset ${offset} after ${open?.offset ?? from}, and ends before ${until}`);
      open = { offset, timestamp: rows.timestamps[i]!, changes: [] };
      records.push(open);
    }
    open.changes.push(changeAt(rows, i));
  }
  return records;
}

function changeAt(
  { kinds, relations, lhs, rhs, at }: Pick<Columns, 'kinds' | 'relations' | 'lhs' | 'rhs' | 'at'>,
  i: number,
): GraphChange {
  const kind = kinds[i]!;
  if (kind === ERASED) return { erased: parseEntityKey(lhs[i]!), at: at[i]! };
  const relation = relations[kind >> 1];
  if (relation === undefined) throw badStretch(`it has no relation ${kind >> 1}`);
  const change: EdgeChange = {
    lhs: parseEntityKey(lhs[i]!),
    relation,
    rhs: parseEntityKey(rhs[i]!),
    at: at[i]!,
    removed: kind % 2 === 1,
  };
  return change;
}

function badStretch(reason: string): ShapeError {
  return new ShapeError(`routed events can’t be read: ${reason}`);
}
