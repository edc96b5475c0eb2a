import { emptySpace, type Space } from '../src/evaluation/space.ts';
import { type EntityKey, typeOf } from '../src/graph/entity.ts';
import type { EntityRecord, GraphStore } from '../src/graph/graph-store.ts';
import type { Head } from '../src/graph/head.ts';
import type { KernelChoice } from '../src/model/kernel.ts';

/** The entities of one type. */
interface Members {
  readonly keys: readonly EntityKey[];
  /** [keys] the row of each. */
  readonly rows: Int32Array;
}

/** The vectors of all stores of a graph in one table. */
export interface JoinedSpace extends Space {
  /** The entities of a type, in the order of the stores. */
  members(type: string): Members;
}

/** A store of a graph, or of one of its shards. */
export interface SpacePart {
  readonly store: GraphStore;
  readonly head: Head;
  /** Entities that are read: all unless given. */
  owns?(key: EntityKey): boolean;
}

const READ_ROWS = 1_024;

/**
 * Reads the stores of all shards of a graph as one space: each entity's vector from the shard that owns it, and the mean of the shards'
 * relation vectors. unseen: entities that take part although no event has named them; an entity without a vector, and one that is
 * newer than the checkpoint, lies at the origin.
 */
export async function joinedSpace(
  parts: readonly SpacePart[],
  { kernel = 'wasm', unseen = [] }: { kernel?: KernelChoice; unseen?: Iterable<EntityKey> } = {},
): Promise<JoinedSpace> {
  const { store, head } = parts[0]!;
  const { dim, relations } = store.layout;
  const firstRow = 2 * relations.length;
  const placed = await Promise.all(parts.map(entitiesOf));
  const keys = new Set([...placed.flat().map(({ key }) => key), ...unseen]);
  const rows = new Map([...keys].map((key, i) => [key, firstRow + i]));
  const space = emptySpace(store.layout, head, { kernel, rows, maxRows: firstRow + rows.size });
  const { table } = space;
  for (const [i, part] of parts.entries()) {
    const stored = [...Array(firstRow).keys(), ...placed[i]!.map(({ row }) => row)];
    for (let first = 0; first < stored.length; first += READ_ROWS) {
      for (const [n, floats] of (
        await part.store.readRows(stored.slice(first, first + READ_ROWS))
      ).entries()) {
        if (floats === undefined) continue;
        const key = placed[i]![first + n - firstRow]?.key;
        const vector = table.vector(key === undefined ? first + n : rows.get(key)!);
        if (key !== undefined) vector.set(floats.subarray(0, dim));
        else for (let k = 0; k < dim; k++) vector[k]! += floats[k]! / parts.length;
      }
    }
  }
  return {
    ...space,
    members: (type) => {
      const own = [...keys].filter((key) => typeOf(key) === type);
      return { keys: own, rows: Int32Array.from(own, (key) => rows.get(key)!) };
    },
  };
}

async function entitiesOf({ store, owns }: SpacePart): Promise<readonly EntityRecord[]> {
  const all = await Array.fromAsync(store.entities());
  return owns === undefined ? all : all.filter(({ key }) => owns(key));
}
