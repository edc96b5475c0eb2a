import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runParts } from '../../../bench/in-process.ts';
import { configOf } from '../../../src/config/load.ts';
import type { Config, GraphConfig } from '../../../src/config/resolve.ts';
import type { EntityState } from '../../../src/graph/layout.ts';
import { graphOf, shardOf } from '../../../src/graph/shard.ts';
import { openForReading } from '../../../src/state/open.ts';
import { edgesIn } from '../../graph/graph-fixture.ts';
import { MemoryLog } from '../../pipeline/memory-log.ts';
import { memoryReader } from '../../pipeline/memory-reader.ts';
import { wholeOf } from '../../replay/replay-log.ts';
import { type Place, place } from '../captured.ts';

const AT = 1_704_067_200_000;
const DIM = 8;

/** A place where a graph is cut into shards and trained by real updaters. */
export interface ShardedPlace extends Place {
  readonly log: MemoryLog;
  /** What a process of its own is to have in its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Sets the number of shards in the configuration. */
  configure(shards: number): Promise<void>;
  /** The graph's shards, or itself, by that number. */
  graphs(): readonly GraphConfig[];
  /** Trains what the log holds and the stores have not read yet. */
  train(): Promise<void>;
}

export async function shardedPlace(shards: number): Promise<ShardedPlace> {
  const here = await place();
  const log = new MemoryLog();
  let config: Config;
  let file = '';
  const sharded: ShardedPlace = {
    ...here,
    log,
    get env() {
      return {
        KAFKA_BROKERS: `file:${join(here.folder, 'log')}`,
        TWHIN_STATE: join(here.folder, 'state'),
        TWHIN_CONFIG: join(here.folder, file),
      };
    },
    run: (...argv) => here.configured(file)(...argv),
    configure: async (count) => {
      const content = {
        model: { dim: DIM },
        limits: { maxEntities: 2_000 },
        training: { kernel: 'reference', batchEdges: 32 },
        graphs: { engagement: { shards: count }, follow: {} },
      } as const;
      // A file is imported once: each number has its own.
      file = `twhin-${count}.config.ts`;
      await writeFile(join(here.folder, file), `export default ${JSON.stringify(content)};\n`);
      config = configOf(content, { TWHIN_STATE: join(here.folder, 'state') }, here.folder);
    },
    graphs: () => config.graphs.filter((graph) => graphOf(graph) === 'engagement'),
    train: async () => {
      const eventLog = memoryReader(log);
      const range = await wholeOf(eventLog, log);
      await runParts(config, sharded.graphs(), { eventLog, range, topicIds: {}, space: 'one' });
    },
  };
  await sharded.configure(shards);
  return sharded;
}

/** Likes, some taken back, then two users erased, one of whom comes back. user:lonely has no edge that is still live. */
export function tell({ log }: ShardedPlace, likes = 160, seed = 1): void {
  const like = (userId: string, tweetId: string, action: string, at: number) =>
    log.append(
      'twhin.engagement',
      { userId, tweetId, action, at: AT + at },
      { partition: at % 3, timestamp: AT + at },
    );
  const erase = (entity: string, at: number) =>
    log.append('twhin.erasure', { entity, at: AT + at }, { timestamp: AT + at });
  for (let i = 0; i < likes; i++)
    like(
      `u${(i * 7 + seed) % 30}`,
      `t${(i * i + seed) % 17}`,
      i % 9 === 0 ? 'retweet' : 'like',
      seed * 10_000 + i,
    );
  const after = seed * 10_000 + likes;
  for (let i = 0; i < 12; i++)
    like(`u${(i * 7 + seed) % 30}`, `t${(i * i + seed) % 17}`, 'unlike', after + i);
  like('lonely', 't1', 'like', after + 20);
  like('lonely', 't1', 'unlike', after + 21);
  erase('user:u3', after + 30);
  erase('user:u4', after + 31);
  like('u4', 't2', 'like', after + 32);
}

/** What the stores of a graph hold, in plain maps. The oracle of the digests. */
export interface Content {
  /** `lhs relation rhs` to time and removal mark. */
  readonly edges: Record<string, { at: number; removed: boolean }>;
  /** Entities at their owners, with vector, accumulator and drift. */
  readonly own: Record<string, Omit<EntityState, 'row'> & { floats: number[] | undefined }>;
  /** By shard: the copies, with vector, accumulator and drift. */
  readonly copies: Record<string, number[]>[];
  /** By shard: the live edges and the edges of it. */
  readonly edgesOf: string[][];
  readonly erased: string[][];
  readonly relations: number[][][];
}

export async function contentOf(graphs: readonly GraphConfig[]): Promise<Content> {
  const content: Content = {
    edges: {},
    own: {},
    copies: [],
    edgesOf: [],
    erased: [],
    relations: [],
  };
  for (const [shard, graph] of graphs.entries()) {
    const store = await openForReading(graph);
    if (store === undefined) throw new Error(`no store of ${graph.name}`);
    const copies: Record<string, number[]> = {};
    for await (const { key, row, ...state } of store.entities()) {
      const [stored] = await store.readRows([row]);
      const floats = stored && [...stored];
      if (shardOf(key, graphs.length) === shard) content.own[key] = { ...state, floats };
      else copies[key] = floats ?? [];
    }
    const edges: string[] = [];
    for (const { lhs, relation, rhs, at, removed } of await edgesIn(store)) {
      content.edges[`${lhs} ${relation} ${rhs}`] = { at, removed };
      edges.push(`${removed ? 'removed' : 'live'} ${lhs} ${relation} ${rhs}`);
    }
    content.copies.push(copies);
    content.edgesOf.push(edges);
    content.erased.push(
      (await Array.fromAsync(store.erasures())).map(({ name, at }) => `${name} ${at}`).sort(),
    );
    const rows = store.layout.relations.flatMap((_, i) => [2 * i, 2 * i + 1]);
    content.relations.push((await store.readRows(rows)).map((row) => [...(row ?? [])]));
    await store.close();
  }
  return content;
}
