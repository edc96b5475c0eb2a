import { join } from 'node:path';
import { openRocksdb } from '../src/adapters/rocksdb/store.ts';
import { loadConfig } from '../src/config/load.ts';
import type { GraphConfig } from '../src/config/resolve.ts';
import { UsageError } from '../src/errors/errors.ts';
import { CheckpointWriter } from '../src/graph/checkpoint-writer.ts';
import type { EdgeState } from '../src/graph/edge.ts';
import { type EntityKey, entityKey, typeOf } from '../src/graph/entity.ts';
import { type EntityRecord, GraphStore } from '../src/graph/graph-store.ts';
import { type Head, STORE_FORMAT } from '../src/graph/head.ts';
import { Layout } from '../src/graph/layout.ts';
import { Random } from '../src/sampling/random.ts';
import type { Here, Size } from './harness.ts';
import { COMMAND, ownPlace, Running, ran } from './process.ts';

export const ENGAGEMENT = 'engagement';
const COMMIT_ENTITIES = 20_000;
const COMMIT_EDGES = 50_000;
const AT = Date.UTC(2026, 0);

/** Every fifth entity is a user, of which each has many edges; the rest are tweets. */
const USER_EVERY = 5;

const usersOf = (entities: number) => Math.ceil(entities / USER_EVERY);

interface Entities extends Size {
  readonly entities: number;
  readonly edges: number;
}

/** A place with a broker's topics and a store of the engagement graph, as {@link writeLargeStore} makes it. */
export async function largePlace(here: Pick<Here<Entities>, 'broker' | 'folder' | 'set' | 'say' | 'size'>) {
  const { entities, edges } = here.size;
  // Edges are drawn until each is another one.
  const most = Math.floor((usersOf(entities) * (entities - usersOf(entities))) / 2);
  if (edges > most)
    throw new UsageError(`--edges: expected at most ${most} of --entities ${entities}; seen ${edges}`);
  const place = await ownPlace(here);
  const config = await loadConfig(place.env, place.folder);
  const graph = config.graphs.find(({ name }) => name === ENGAGEMENT)!;
  here.say(`making a store of ${entities} entities and ${edges} edges`);
  await writeLargeStore(join(config.state, ENGAGEMENT, 'db'), graph, here.size);
  await ran([COMMAND, 'topics', 'apply'], place.env);
  return { ...place, config, graph };
}

/**
 * Fills a folder with a store of the engagement graph as if it had been trained: entities with random vectors, likes
 * by users of tweets, favourites more often. No event of it is in any log: its offsets are the topics' starts.
 */
async function writeLargeStore(
  folder: string,
  graph: Pick<GraphConfig, 'name' | 'model'>,
  size: Entities,
): Promise<void> {
  const { model } = graph;
  await using store = new GraphStore(await openRocksdb(folder), new Layout(model));
  const random = Random.seeded(1);
  const relationRows = 2 * model.relations.length;
  const users = usersOf(size.entities);
  const head: Head = {
    ...{ format: STORE_FORMAT, graph: graph.name, model, step: 1_000_000, random: [...random.state()] },
    ...{ rows: relationRows + size.entities, freed: [], positions: {}, outbox: 0, watermark: AT },
    ...{ commit: 1, checkpoint: 0, relations: 0, epoch: 0, space: '', stepBase: 0, topicIds: {} },
    events: { consumed: size.edges, rejected: 0, duplicate: 0, late: 0 },
    edges: { likes: size.edges },
    entities: { user: users, tweet: size.entities - users },
  };
  const keyOf = (n: number) =>
    n % USER_EVERY === 0
      ? entityKey('user', `${1_000_000_000 + n}`)
      : entityKey('tweet', `${1_800_000_000_000_000_000n + BigInt(n)}`);
  await using writer = new CheckpointWriter(store.checkpoints, head, model.dim + 2);
  while (writer.rows < relationRows) await writer.add(vectorOf(model.dim, random));
  for (let first = 0; first < size.entities; first += COMMIT_ENTITIES) {
    const entities: EntityRecord[] = [];
    for (let n = first; n < Math.min(first + COMMIT_ENTITIES, size.entities); n++) {
      const key = keyOf(n);
      entities.push({ key, row: writer.rows, updates: 5, firstSeen: AT, lastSeen: AT });
      await writer.add(vectorOf(model.dim, random), store.layout.typeIndex(typeOf(key)), true);
    }
    await store.commit({ head, entities });
  }
  await writer.end();
  const tweets = size.entities - users;
  const tweetAt = (n: number): EntityKey => {
    const index = n + Math.floor(n / (USER_EVERY - 1)) + 1;
    return keyOf(Math.min(index, size.entities - 1));
  };
  const there = new Set<number>();
  while (there.size < size.edges) {
    const edges: [id: string, state: EdgeState][] = [];
    while (edges.length < COMMIT_EDGES && there.size < size.edges) {
      const user = random.below(users);
      const tweet = Math.floor(tweets * random.uniform() ** 2);
      const before = there.size;
      if (there.add(user * tweets + tweet).size === before) continue;
      const [lhs, rhs] = [keyOf(USER_EVERY * user), tweetAt(tweet)];
      edges.push([store.layout.edgeId({ lhs, relation: 'likes', rhs }), { at: AT, removed: false }]);
    }
    await store.commit({ head: { ...head, checkpoint: head.commit }, edges });
  }
}

/** [dim + 2]: numbers for a length of about 1, an accumulator, no drift. */
function vectorOf(dim: number, random: Random): Float32Array {
  const scale = Math.sqrt(3 / dim);
  const floats = new Float32Array(dim + 2);
  for (let k = 0; k < dim; k++) floats[k] = (2 * random.uniform() - 1) * scale;
  floats[dim] = 0.1;
  return floats;
}

/** Likes among the store's own users and tweets, so many a second, until it is told to stop. */
export function trickle(
  env: NodeJS.ProcessEnv,
  { entities, rate }: { entities: number; rate: number },
): Running {
  const args = ['feed', '-', '--topic', 'engagement', '--rate', `${rate}`];
  const feeding = new Running([COMMAND, ...args], env, 'pipe');
  let n = 0;
  const write = setInterval(() => {
    for (let i = 0; i < rate / 10; i++, n++) {
      const user = USER_EVERY * ((n * 7_919) % Math.floor(entities / USER_EVERY));
      const tweet = USER_EVERY * ((n * 104_729) % Math.floor(entities / USER_EVERY)) + 1;
      const [userId, tweetId] = [`${1_000_000_000 + user}`, `${1_800_000_000_000_000_000n + BigInt(tweet)}`];
      feeding.child.stdin?.write(`${JSON.stringify({ userId, tweetId, action: 'like', at: Date.now() })}\n`);
    }
  }, 100);
  feeding.child.once('exit', () => clearInterval(write));
  return feeding;
}
