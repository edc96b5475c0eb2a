import { z } from 'zod';
import type { EventTopic } from '../../topics/topic.ts';
import { TOPIC_PREFIX, TOPIC_PREFIX_RULE } from './environment.ts';

const positive = z.number().positive();
const whole = z.number().int().positive();
const name = z.string().regex(/^[a-z][a-z0-9-]*$/, 'expected lower-case letters, digits and dashes');

const relation = z.strictObject({ name, lhs: name, rhs: name });

const graph = z.strictObject({
  /** Event topics it reads, by their names without the prefix. */
  topics: z.array(z.string()).min(1),
  /** Relations it learns, by name. */
  relations: z.array(z.string()).min(1),
});

const eventTopic = z.custom<EventTopic>(
  (value) => typeof value === 'object' && value !== null && 'name' in value && 'changesOf' in value,
  'expected what defineTopic returns',
);

/** What a `twhin.config.ts` may say; everything has a default. */
export const configFileSchema = z.strictObject({
  topicPrefix: z.string().regex(TOPIC_PREFIX, `expected ${TOPIC_PREFIX_RULE}`).default('twhin.'),
  kafka: z
    .strictObject({
      brokers: z.array(z.string()).optional(),
      clientId: z.string().min(1).default('twhin-stream'),
    })
    .prefault({}),
  /** Folder of the stores, one below it for each graph. */
  state: z.string().min(1).optional(),
  /** Where `twhin run` serves health, metrics and status: host:port, or off. 127.0.0.1:8077 unless said. */
  http: z.string().optional(),

  entityTypes: z.array(name).default([]),
  relations: z.array(relation).default([]),
  topics: z.array(eventTopic).default([]),
  graphs: z.record(name, graph).default({}),

  preset: z.enum(['measured', 'twhin']).default('measured'),
  model: z
    .strictObject({
      dim: whole.max(1024).default(128),
      scorer: z.enum(['transe-l1', 'transe-l2', 'transe-l2-squared', 'twhin']).optional(),
      loss: z.enum(['softmax', 'logistic', 'margin']).optional(),
      beta: positive.optional(),
      margin: z.number().optional(),
      negativeWeight: positive.optional(),
      learningRate: positive.optional(),
      unitBall: z.boolean().optional(),
      /** By relation's name: what the loss of its edges is multiplied by; 1 where nothing is said. */
      relationWeights: z.record(name, positive).default({}),
    })
    .prefault({}),
  training: z
    .strictObject({
      /**
       * wasm: relaxed SIMD where the machine has it, for live updaters. tfjs: TensorFlow.js, which is to be installed. A
       * replay always takes wasm-plain for either.
       */
      kernel: z.enum(['wasm', 'wasm-plain', 'reference', 'tfjs']).default('wasm'),
      /** Threads that train one table at once (Hogwild): faster, and no longer the same bytes. A replay has one. */
      threads: whole.max(16).default(1),
      seed: z.number().int().nonnegative().default(1),
      init: z.enum(['random', 'neighbours']).default('random'),
      /** Each number of a new vector is uniform in ±initScale; by default such that its length is about 1. */
      initScale: positive.optional(),
      /** Updates for each new edge: its own, and the others of live edges learned before, drawn uniformly. */
      updatesPerEdge: whole.max(64).default(4),
      batchEdges: whole.default(1024),
      chunkEdges: whole.max(256).optional(),
      uniformNegatives: z.number().int().nonnegative().max(1024).optional(),
      /** Whether a chunk's own entities are one another's negatives as well: popular ones the most. */
      inBatchNegatives: z.boolean().optional(),
      /** Rows of each type that a batch's uniform negatives are drawn from; 0: all. Fewer make commits smaller. */
      negativePool: z.number().int().nonnegative().max(65_536).default(0),
      lingerMs: positive.default(100),
      evaluatedEdges: z.number().int().nonnegative().default(16),
      evaluatedCandidates: whole.max(10_000).default(500),
    })
    .prefault({}),
  commit: z
    .strictObject({
      everyEdges: whole.default(4_096),
      everyMs: positive.default(500),
      /** Rows in a commit while it catches up, or replays; at the peak 3 to 5 KiB of memory each. More make it faster. */
      mostRows: whole.max(4_194_304).default(131_072),
    })
    .prefault({}),
  publish: z
    .strictObject({
      epsilon: z.number().nonnegative().default(0.05),
      maxAgeMs: positive.default(60_000),
      /** Vectors that may wait to be acknowledged before reading pauses; over limits.maxEntities it never does. */
      maxOutbox: whole.default(1_000_000),
    })
    .prefault({}),
  limits: z
    .strictObject({
      /** Entities a graph may hold; their table takes (dim + 4) × 4 bytes each, as they come. */
      maxEntities: whole.default(4_000_000),
      /** Live edges kept out of the negatives and to be rehearsed; 20 to 30 bytes each. */
      maxKnownEdges: whole.max(500_000_000).default(500_000_000),
      /** Bytes of memory for them; the others are in a file in the state folder, which is gone with the process. */
      knownEdgesBytes: whole.default(1024 ** 3),
      /** Bytes of records read ahead of training. */
      queueBytes: whole.default(32 * 1024 * 1024),
      valueBytes: whole.default(65_536),
      depth: whole.default(8),
      /** An updater that is further behind is not ready. */
      readyLagMs: positive.default(60_000),
      /** Time a graceful stop may take. */
      stopMs: positive.default(30_000),
    })
    .prefault({}),
  /** The least that is worth a line; --verbose wins. */
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') }).prefault({}),
});

export type ConfigFile = z.infer<typeof configFileSchema>;
/** What a person writes. */
export type ConfigInput = z.input<typeof configFileSchema>;
