import { setImmediate } from 'node:timers/promises';
import { expect } from 'vitest';
import { startSteppers } from '../../src/adapters/trainer/hogwild/stepper.ts';
import { PRESETS } from '../../src/config/presets.ts';
import { RELATIONS } from '../../src/graph/edge.ts';
import { GraphStore } from '../../src/graph/graph-store.ts';
import { Layout } from '../../src/graph/layout.ts';
import type { Shard } from '../../src/graph/shard.ts';
import { createKernel } from '../../src/kernels/select.ts';
import { workspaceBytes } from '../../src/kernels/workspace.ts';
import { type Log, silentLog } from '../../src/log.ts';
import { alone, type Neighbourhood } from '../../src/pipeline/neighbours.ts';
import type {
  EventLog,
  FollowedLog,
  Leadership,
  Message,
  ReadableLog,
  Sink,
} from '../../src/pipeline/ports.ts';
import type { Progress } from '../../src/pipeline/progress.ts';
import { localTrainer } from '../../src/pipeline/training/local-trainer.ts';
import type { Trainer, TrainerSettings } from '../../src/pipeline/training/trainer.ts';
import type { Pace, Tuning } from '../../src/pipeline/tuning.ts';
import { Updater } from '../../src/pipeline/updater.ts';
import type { Role } from '../../src/pipeline/writing/writer.ts';
import { foreignOf, ofShard } from '../../src/shards/foreign-rows.ts';
import { EVENT_TOPICS } from '../../topics/index.ts';
import { DEFAULT_LIMITS } from '../../topics/record.ts';
import { edgesIn } from '../graph/graph-fixture.ts';
import { MemoryStore } from '../graph/memory-store.ts';
import { MemoryLog } from './memory-log.ts';
import { memoryReader } from './memory-reader.ts';

/** How long a test waits for what takes a moment, on a busy machine. */
export const IN_TIME = { timeout: 30_000 };

/** Gives the process turns in which everything that can go on does: a busy machine gives few of them in a fixed time. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await setImmediate();
}

export const DIM = 8;
export const EMBEDDINGS = 'twhin.embeddings.test';
/** Where relation vectors go. */
export const MODEL_TOPIC = 'twhin.model.test';
const TYPES = ['user', 'tweet', 'ad', 'advertiser', 'query'];

export const MODEL = { dim: DIM, scorer: 'transe-l2', entityTypes: TYPES, relations: [...RELATIONS] };

/** Cut by count alone: the same records give the same bytes. */
export const BY_COUNT: Pace = {
  batchEdges: 16,
  lingerMs: Number.POSITIVE_INFINITY,
  commitEdges: 32,
  commitMs: Number.POSITIVE_INFINITY,
  recoverMs: Number.POSITIVE_INFINITY,
  queueBytes: 1_000_000,
  maxOutbox: 1_000_000,
  stopMs: 600_000,
};

/** As in {@link BY_COUNT}, and never too far behind. */
export const TUNING: Tuning = {
  ...BY_COUNT,
  epsilon: 0.3,
  maxAgeMs: 60_000,
  readyLagMs: Number.POSITIVE_INFINITY,
};

const TRAINER: TrainerSettings = {
  model: { dim: DIM, ...PRESETS.measured.model },
  kernel: 'reference',
  threads: 1,
  maxRows: 1000,
  maxKnownEdges: 10_000,
  entityTypes: TYPES,
  relations: RELATIONS.map(({ name, lhs, rhs }) => ({
    name,
    lhsType: TYPES.indexOf(lhs),
    rhsType: TYPES.indexOf(rhs),
  })),
  seed: 7,
  initScale: 0.6,
  updatesPerEdge: 2,
  chunkEdges: 8,
  uniformNegatives: 8,
  inBatchNegatives: true,
  evaluatedEdges: 2,
  evaluatedCandidates: 20,
};

/** Every event topic by its full name. */
export const TOPICS = new Map(EVENT_TOPICS.map((topic) => [`twhin.${topic.name}`, topic]));

/** An updater over every topic and relation, on memory alone. */
export function updater(
  log: MemoryLog,
  store: MemoryStore,
  overrides: {
    pace?: Partial<Pace>;
    /** In place of all of it, to be set anew by the test. */
    tuning?: Tuning;
    handOver?: number;
    dim?: number;
    eventLog?: FollowedLog;
    leadership?: Leadership;
    deadLetters?: boolean;
    role?: Role;
    space?: string;
    log?: Log;
    clock?: () => number;
    reader?: ReadableLog;
    maxKnownEdges?: number;
    maxRows?: number;
    updatesPerEdge?: number;
    shard?: Shard;
    /** The other shards; without it, nothing but its name is a shard's. */
    neighbourhood?: Neighbourhood;
    sink?: Sink;
    /** The trainer as the updater has it. */
    trainer?: (own: Trainer) => Trainer;
  } = {},
): Updater {
  const dim = overrides.dim ?? DIM;
  const model = { ...MODEL, dim };
  const { shard, neighbourhood = alone } = overrides;
  const settings = {
    ...TRAINER,
    model: { ...TRAINER.model, dim },
    maxKnownEdges: overrides.maxKnownEdges ?? TRAINER.maxKnownEdges,
    maxRows: overrides.maxRows ?? TRAINER.maxRows,
    updatesPerEdge: overrides.updatesPerEdge ?? TRAINER.updatesPerEdge,
  };
  const trainer = localTrainer(
    shard && neighbourhood.together ? ofShard(settings, shard) : settings,
    { createKernel, startSteppers, workspaceBytes },
    foreignOf,
  );
  return new Updater({
    graph: 'test',
    shard,
    neighbourhood,
    role: overrides.role ?? 'leader',
    freshSpace: overrides.space ?? 'first',
    model,
    tuning: overrides.tuning ?? { ...TUNING, ...overrides.pace },
    limits: DEFAULT_LIMITS,
    topics: TOPICS,
    embeddingsTopic: EMBEDDINGS,
    // One shard publishes the relation vectors of all.
    ...((shard?.index ?? 0) === 0 && {
      modelTopic: { name: MODEL_TOPIC, beta: PRESETS.measured.model.beta },
    }),
    eventLog: overrides.eventLog ?? log.eventLog({ handOver: () => overrides.handOver ?? 7 }),
    leadership: overrides.leadership ?? log.leadership(),
    sink: overrides.sink ?? log.sink(),
    reader: overrides.reader ?? embeddingsReader(log),
    store: new GraphStore(store, new Layout(model)),
    trainer: overrides.trainer?.(trainer) ?? trainer,
    deadLetter: ({ value, key }, { code }) =>
      overrides.deadLetters === false ? undefined : { topic: DEAD_LETTERS, key, value, headers: { code } },
    clock: overrides.clock ?? (() => 1_000),
    log: overrides.log ?? silentLog,
  });
}

export const FOLLOW = 'twhin.follow';
export const DEAD_LETTERS = 'twhin.dead-letter';

export const follow = (followerId: string, followedId: string, at: number, action = 'follow') => ({
  followerId,
  followedId,
  action,
  at,
});

/** Follows among users named after `name`, a new pair each. */
export function follows(log: MemoryLog, name: string, count: number, partition = 0): void {
  for (let i = 0; i < count; i++) {
    log.append(FOLLOW, follow(`${name}${i}`, `${name}${i + 1}`, 1_000 + i), { partition });
  }
}

/** Runs an updater until it has read all, and gives how far it came. */
export async function caughtUp(...given: Parameters<typeof updater>): Promise<Progress> {
  const running = updater(...given);
  await running.run({ untilCaughtUp: true });
  return running.progress();
}

/** A log of so many follows, and a store that holds them all. */
export async function followed(count: number, more: Parameters<typeof updater>[2] = {}) {
  const [log, store] = [new MemoryLog(), new MemoryStore()];
  follows(log, 'a', count);
  await caughtUp(log, store, more);
  return { log, store };
}

/** What each vector was published as, in the order published. */
export function histories(log: MemoryLog): Map<string, { step: number; epoch: number; space: string }[]> {
  const found = Map.groupBy(
    log.published.filter(({ topic }) => topic === EMBEDDINGS),
    ({ key }) => String(key),
  );
  const publishedAs = ({ headers }: Message) => ({
    step: Number(headers['step']),
    epoch: Number(headers['epoch']),
    space: String(headers['space']),
  });
  return new Map([...found].map(([key, messages]) => [key, messages.map(publishedAs)]));
}

/** Of no name does an older vector follow a newer one, or another one of the same step. */
export function expectRisingSteps(log: MemoryLog): void {
  const seen = new Map<string, string>();
  for (const { topic, key, value, headers } of log.published) {
    if (topic !== EMBEDDINGS || value === null) continue;
    const named = `${key} ${headers['space']} ${headers['step']}`;
    const vector = Buffer.from(value).toString('hex');
    expect([named, vector]).toEqual([named, seen.get(named) ?? vector]);
    seen.set(named, vector);
  }
  for (const [key, history] of histories(log)) {
    for (const of of ['step', 'epoch'] as const) {
      const told = history.map((each) => each[of]);
      expect([key, told]).toEqual([key, told.toSorted((a, b) => a - b)]);
    }
  }
}

/** Reads back what was published. */
export function embeddingsReader(log: MemoryLog): EventLog {
  return memoryReader(
    {
      get records() {
        return [...log.records, ...log.recordsOf(EMBEDDINGS), ...log.recordsOf(MODEL_TOPIC)];
      },
    },
    { anyTopic: true },
  );
}

export function graphStore(store: MemoryStore): GraphStore {
  return new GraphStore(store, new Layout(MODEL));
}

/** Names of live edges, sorted. */
export async function liveEdges(store: MemoryStore): Promise<string[]> {
  const edges = await edgesIn(graphStore(store));
  return edges
    .filter(({ removed }) => !removed)
    .map(({ lhs, relation, rhs }) => `${lhs} ${relation} ${rhs}`)
    .sort();
}

/** Byte for byte: what readers of both topics with vectors have, and what the store holds. */
export async function expectTopicEqualsStore(log: MemoryLog, store: MemoryStore): Promise<void> {
  const held = graphStore(store);
  const hexOf = async (row: number) => {
    const [found] = await held.readRows([row]);
    return Buffer.from(new Float32Array(found?.subarray(0, DIM) ?? []).buffer).toString('hex');
  };
  const stored: [string, string][] = [];
  for await (const { key, row } of held.entities()) stored.push([key, await hexOf(row)]);
  expect(inTopic(log, EMBEDDINGS)).toEqual(stored.sort());
  // A store without a commit has no relation rows yet.
  if ((await held.head()) === undefined) return;
  const relations = MODEL.relations.flatMap(({ name }, relation) => [
    { key: `relation:${name}`, row: 2 * relation },
    { key: `relation:${name}/inverse`, row: 2 * relation + 1 },
  ]);
  const vectors = relations.map(async ({ key, row }) => [key, await hexOf(row)]);
  expect(inTopic(log, MODEL_TOPIC)).toEqual((await Promise.all(vectors)).sort());
}

function inTopic(log: MemoryLog, topic: string): [string, string][] {
  return [...log.folded(topic)].map(([key, value]): [string, string] => [key, value.toString('hex')]).sort();
}
