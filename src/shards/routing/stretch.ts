import { z } from 'zod';
import { reasonOf, ShapeError } from '../../errors/errors.ts';
import type { EdgeChange, GraphChange } from '../../graph/edge.ts';
import { parseEntityKey } from '../../graph/entity.ts';
import type { Partition } from '../../pipeline/ports.ts';

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
export interface RoutedStretch extends Partition {
  readonly from: number;
  readonly until: number;
  /** Leader epoch of its records; absent where the log has none. */
  readonly epoch?: number | undefined;
  readonly records: readonly RoutedRecord[];
}

const VERSION = 2;
const ERASED = -1;
const offset = z.int().min(0);

/**
 * A change: the offset of its record after `from`; the log’s time of its record; -1 where `lhs` is erased, else twice the index of the
 * relation, and one more where the edge is removed; lhs; rhs, empty where `lhs` is erased; the event’s own time. Times are epoch ms.
 */
const row = z.tuple([offset, z.number(), z.int().min(ERASED), z.string(), z.string(), z.number()]);
type Row = z.infer<typeof row>;

/** JSON, for its parser is part of the engine, and faster than any that reads bytes in JavaScript. */
const schema = z.strictObject({
  version: z.literal(VERSION),
  topic: z.string(),
  partition: offset,
  from: offset,
  until: offset,
  epoch: offset.optional(),
  relations: z.array(z.string()),
  changes: z.array(row),
});

export function encodeStretch({ records, ...place }: RoutedStretch): Buffer {
  const relations: string[] = [];
  const kindOf = ({ relation, removed }: EdgeChange) => {
    const known = relations.indexOf(relation);
    return 2 * (known < 0 ? relations.push(relation) - 1 : known) + Number(removed);
  };
  const changes = records.flatMap(({ offset, timestamp, changes }) =>
    changes.map(
      (change): Row =>
        'erased' in change
          ? [offset - place.from, timestamp, ERASED, change.erased, '', change.at]
          : [offset - place.from, timestamp, kindOf(change), change.lhs, change.rhs, change.at],
    ),
  );
  return Buffer.from(JSON.stringify({ version: VERSION, ...place, relations, changes }));
}

/** @throws ShapeError where the bytes are no stretch. */
export function decodeStretch(value: Uint8Array | null): RoutedStretch {
  if (value === null) throw badStretch('it has no value');
  try {
    const {
      version: _,
      relations,
      changes,
      ...place
    } = schema.parse(JSON.parse(Buffer.from(value).toString()));
    const { from, until } = place;
    if (from > until) throw badStretch(`it begins at ${from}, and ends before ${until}`);
    const records: { offset: number; timestamp: number; changes: GraphChange[] }[] = [];
    for (const row of changes) {
      const [after, timestamp] = row;
      const offset = from + after;
      let open = records.at(-1);
      if (offset !== open?.offset) {
        if (offset >= until || (open !== undefined && offset < open.offset))
          throw badStretch(`it has offset ${offset} after ${open?.offset ?? from}, and ends before ${until}`);
        open = { offset, timestamp, changes: [] };
        records.push(open);
      }
      open.changes.push(changeOf(row, relations));
    }
    return { ...place, records };
  } catch (error) {
    if (error instanceof ShapeError) throw error;
    const reason =
      error instanceof z.ZodError ? z.prettifyError(error).replaceAll('\n', ' ') : reasonOf(error);
    throw badStretch(reason);
  }
}

function changeOf([, , kind, lhs, rhs, at]: Row, relations: readonly string[]): GraphChange {
  if (kind === ERASED) return { erased: parseEntityKey(lhs), at };
  const relation = relations[kind >> 1];
  if (relation === undefined) throw badStretch(`it has no relation ${kind >> 1}`);
  return { lhs: parseEntityKey(lhs), relation, rhs: parseEntityKey(rhs), at, removed: kind % 2 === 1 };
}

function badStretch(reason: string): ShapeError {
  return new ShapeError(`routed events can’t be read: ${reason}`);
}
