import { loadConfig } from '../../src/config/load.ts';
import type { Head } from '../../src/graph/head.ts';
import { openForReading } from '../../src/state/open.ts';
import { livePlace, placeOf } from '../../src/state/places.ts';
import { edgesIn } from '../graph/graph-fixture.ts';
import type { Twhin } from './twhin.ts';

/** What a store holds, read beside whoever writes it. */
export interface Stored {
  readonly head: Head | undefined;
  /** Little-endian float32 bytes by entity. */
  readonly vectors: ReadonlyMap<string, Buffer>;
  /** The same by the key of the relation in the model topic. */
  readonly relations: ReadonlyMap<string, Buffer>;
  /** Live edges as `lhs relation rhs at`, sorted. */
  readonly edges: readonly string[];
}

/** Everything in a graph's store, or its head alone. name: a store beside the live one. */
export async function readStore(
  twhin: Twhin,
  graph: string,
  headOnly = false,
  name?: string,
): Promise<Stored> {
  const config = await loadConfig(twhin.env, twhin.folder);
  const found = config.graphs.find(({ name }) => name === graph);
  if (found === undefined) throw new Error(`no graph ${graph} in ${twhin.env['TWHIN_CONFIG']}`);
  const store = await openForReading(found, name === undefined ? livePlace(found) : placeOf(found, name));
  const vectors = new Map<string, Buffer>();
  const relations = new Map<string, Buffer>();
  const edges: string[] = [];
  if (store === undefined) return { head: undefined, vectors, relations, edges };
  try {
    const head = await store.head();
    const { dim } = store.layout;
    if (!headOnly) {
      const bytesOf = async (row: number) => {
        const [read] = await store.readRows([row]);
        const bytes = Buffer.alloc(dim * 4);
        for (let i = 0; i < dim; i++) bytes.writeFloatLE(read?.[i] ?? Number.NaN, i * 4);
        return bytes;
      };
      for await (const { key, row } of store.entities()) vectors.set(key, await bytesOf(row));
      for (const [i, { name }] of (head?.model.relations ?? []).entries()) {
        relations.set(`relation:${name}`, await bytesOf(2 * i));
        relations.set(`relation:${name}/inverse`, await bytesOf(2 * i + 1));
      }
      for (const { lhs, relation, rhs, at, removed } of await edgesIn(store)) {
        if (!removed) edges.push(`${lhs} ${relation} ${rhs} ${at}`);
      }
    }
    return { head, vectors, relations, edges: edges.sort() };
  } finally {
    await store.close();
  }
}

/** Entities whose bytes in `topic` (null where gone) are not those of the store; the first few, in words. */
export function unlike(
  stored: ReadonlyMap<string, Buffer>,
  topic: ReadonlyMap<string, { readonly value: Buffer | null }>,
): string[] {
  const found: string[] = [];
  for (const [key, bytes] of stored) {
    const value = topic.get(key)?.value;
    if (value == null) found.push(`${key}: in the store, not in the topic`);
    else if (!bytes.equals(value)) found.push(`${key}: other bytes`);
  }
  for (const [key, { value }] of topic) {
    if (value !== null && !stored.has(key)) found.push(`${key}: in the topic, not in the store`);
  }
  return found.slice(0, 10);
}
