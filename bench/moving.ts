import { FileLog } from '../src/adapters/file-log/file-log.ts';
import { type EntityKey, parseEntityKey } from '../src/graph/entity.ts';
import type { SourceRecord } from '../src/pipeline/ports.ts';
import { Random } from '../src/sampling/random.ts';
import { decodeEmbedding } from '../topics/embeddings.ts';
import { decodeRelation, type RelationVector } from '../topics/model.ts';
import { type ClusterOptions, Clusters } from './clusters.ts';

/** A row and its new vector. */
export interface Move {
  readonly row: number;
  readonly vector: Float32Array;
}

/** Vectors of entities that move, and what is asked of them. `now`: the vector of a row as it is. */
export interface MovingVectors {
  /** What they are, in a sentence. */
  readonly about: string;
  readonly dim: number;
  /** By row. */
  readonly names: readonly EntityKey[];
  first(row: number): Float32Array;
  /** The next moves, at most so many, of a row each; none when there are no more. */
  moves(count: number, now: (row: number) => Float32Array): Move[];
  query(now: (row: number) => Float32Array): Float32Array;
}

/** Rows about centres, each of which moves by this distance, so many times together. */
export function clusterMoves(options: ClusterOptions, updates: number, distance: number): MovingVectors {
  const { rows, dim, cluster, spread } = options;
  const world = new Clusters(options);
  const centres = Int32Array.from({ length: rows }, () => world.centre());
  let left = updates;
  return {
    about:
      `${rows.toLocaleString('en')} vectors of ${dim} numbers in clusters of ${cluster} about centres of length 1, at a distance of ${spread}; ` +
      `queries are such vectors too. An update moves any of them by ${distance}.`,
    dim,
    names: Array.from({ length: rows }, (_, row) => parseEntityKey(`tweet:${row}`)),
    first: (row) => world.about(centres[row]!),
    moves(count, now) {
      const moved = new Set<number>();
      while (moved.size < Math.min(count, left, rows)) moved.add(world.random.below(rows));
      left -= moved.size;
      return [...moved].map((row) => ({ row, vector: world.moved(now(row), centres[row]!, distance) }));
    },
    query: () => world.next(),
  };
}

/**
 * What an updater published to a log of files: the last so many records are moves, and the rows are the vectors before. Queries
 * are users moved by a relation from users to tweets.
 */
export async function recordedMoves(dir: string, updates: number): Promise<MovingVectors> {
  const [embeddings, model] = ['twhin.embeddings.engagement', 'twhin.model.engagement'];
  const log = new FileLog(dir);
  let relation: RelationVector | undefined;
  for await (const { key, headers, value } of recordsOf(log, model)) {
    const of = decodeRelation(key, headers ?? {}, value);
    if (of.trained && !of.inverse && of.lhs === 'user' && of.rhs === 'tweet') relation ??= of;
    if (relation !== undefined && of.relation === relation.relation && !of.inverse) relation = of;
  }
  if (relation === undefined)
    throw new Error(`${dir}: ${model} has no trained relation from users to tweets`);
  const total = (await log.ranges([embeddings])).reduce((sum, { high }) => sum + high, 0);
  const rows = new Map<EntityKey, number>();
  const firsts: Float32Array[] = [];
  const left: Move[] = [];
  let seen = 0;
  for await (const { key, headers, value } of recordsOf(log, embeddings)) {
    const { vector } = decodeEmbedding(headers ?? {}, value);
    const name = parseEntityKey(String(key));
    const moves = seen++ >= total - updates;
    if (vector === null || (moves && !rows.has(name))) continue;
    const row = rows.get(name) ?? rows.size;
    rows.set(name, row);
    if (moves) left.push({ row, vector });
    else firsts[row] = vector;
  }
  await log.close();
  const names = [...rows.keys()];
  const users = names.flatMap((name, row) => (name.startsWith('user:') ? [row] : []));
  const random = Random.seeded(1);
  let next = 0;
  return {
    about:
      `${names.length.toLocaleString('en')} vectors of ${relation.dim} numbers as an updater published them, users and tweets; queries are users moved by \`${relation.relation}\`. ` +
      'Updates are the next records of the topic.',
    dim: relation.dim,
    names,
    first: (row) => firsts[row]!,
    moves(count) {
      const moved = new Map<number, Move>();
      for (; moved.size < count && next < left.length; next++) moved.set(left[next]!.row, left[next]!);
      return [...moved.values()];
    },
    query: (now) => {
      const user = now(users[random.below(users.length)]!);
      return user.map((value, k) => value + relation.vector[k]!);
    },
  };
}

/** Records of a topic, some of each partition in turn, as they came. */
async function* recordsOf(log: FileLog, topic: string): AsyncGenerator<SourceRecord> {
  const ranges = await log.ranges([topic]);
  const stretches = ranges.map(({ partition, low, high }) => ({ topic, partition, from: low, until: high }));
  const { cursors, close } = await log.read(stretches);
  let open = [...cursors];
  while (open.length > 0) {
    for (const cursor of [...open]) {
      const records = await cursor.next();
      if (records === undefined) open = open.filter((each) => each !== cursor);
      else yield* records;
    }
  }
  await close();
}
