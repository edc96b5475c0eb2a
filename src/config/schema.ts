import { z } from 'zod';
import { WEEK_MS } from '../../topics/declaration.ts';
import type { EventTopic } from '../../topics/topic.ts';
import { TOPIC_PREFIX, TOPIC_PREFIX_RULE } from './environment.ts';
import { PRESETS } from './presets.ts';

const { measured: MEASURED } = PRESETS;

/**
 * `npm run docs` makes docs/configuration.md from this schema: descriptions, defaults, bounds and choices. In `.meta()`, `unit` is the
 * unit of a number whose key does not end with it, `unset` the value of a key that has no default here, and `values` what a key takes
 * that is of two types.
 */

const positive = z.number().positive();
const whole = z.number().int().positive();
const name = z
  .string()
  .regex(/^[a-z][a-z0-9-]*$/, 'expected a lower-case letter, then lower-case letters, digits and dashes')
  // Counts are kept by name in plain objects, each of which has it already.
  .refine((each) => each !== 'constructor', 'expected any other name');

const relation = z.strictObject({ name, lhs: name, rhs: name });

/** What each key of a graph means stands with `graphs` below, as that of a surface with `surfaces`. */
const graph = z.strictObject({
  topics: z.array(z.string()).min(1).optional(),
  relations: z.array(z.string()).min(1).optional(),
  shards: whole.max(256).default(1),
  erasure: z.boolean().default(true),
});

const names = z.array(name).min(1);
const surface = z.strictObject({
  from: z.union([name, names], 'expected the name of a type, or names in an array'),
  to: name,
  relations: names.optional(),
  leaveOut: z.array(name).optional(),
  atMost: z.strictObject({ count: whole, by: name }).optional(),
});

/** The keys of an object in a list or a record of the file, by the key of that. */
const KEYS_OF_EACH: Readonly<Record<string, readonly string[]>> = {
  graphs: Object.keys(graph.shape),
  relations: Object.keys(relation.shape),
  surfaces: Object.keys(surface.shape),
};

const eventTopic = z.custom<EventTopic>(
  (value) => typeof value === 'object' && value !== null && 'name' in value && 'changesOf' in value,
  'expected what defineTopic returns',
);

/** What a `twhin.config.ts` may say; everything has a default. */
export const configFileSchema = z.strictObject({
  topicPrefix: z
    .string()
    .regex(TOPIC_PREFIX, `expected ${TOPIC_PREFIX_RULE}`)
    .default('twhin.')
    .describe(`Prefix of every topic's name: ${TOPIC_PREFIX_RULE}.`),
  eventRetentionMs: z
    .union([whole, z.literal('unlimited')])
    .default(WEEK_MS)
    .meta({
      values: 'whole number, 1 or more, or `unlimited`',
      description:
        "How long an event topic keeps its events where `twhin topics apply` creates it, unless `defineTopic` says `retentionMs`: milliseconds, or `'unlimited'`. A topic that exists [keeps its own retention](existing-topics.md).",
    }),
  state: z.string().min(1).optional().meta({
    unset: '.twhin/state',
    description: 'Folder of the stores. Each graph has a folder of its own below it.',
  }),
  http: z.string().optional().meta({
    unset: '127.0.0.1:8077',
    description:
      'Address at which `twhin run` serves the [dashboard, health checks and metrics](http.md): `HOST:PORT`, or `off`. `--http` on the command line wins.',
  }),
  preset: z.enum(['measured', 'twhin']).default('measured').meta({
    description:
      'Training recipe. It sets the defaults of model and training that differ by preset below. `measured` ranked best on replayed streams: distance, softmax, unit ball ([ADR 010](adr/010-recipe.md)). `twhin` is the recipe of the paper: dot product, logistic loss, in-batch negatives.',
  }),

  kafka: z
    .strictObject({
      brokers: z.array(z.string()).optional().meta({
        unset: "['127.0.0.1:9092']",
        description: 'Addresses of the brokers, `HOST:PORT` each. `file:FOLDER` alone is the embedded log.',
      }),
      clientId: z.string().min(1).default('twhin-stream').meta({
        description: 'Name of this client in the logs of the brokers.',
      }),
    })
    .prefault({})
    .describe('The brokers. Security settings come from the environment alone.'),

  model: z
    .strictObject({
      dim: whole.max(1024).default(128).describe('Dimension: how many numbers a vector has.'),
      scorer: z
        .enum(['transe-l1', 'transe-l2', 'transe-l2-squared', 'twhin'])
        .default(MEASURED.model.scorer)
        .describe(
          'How an edge is scored: by a distance (`transe-…`) or by a dot product (`twhin`). Higher is better.',
        ),
      loss: z.enum(['softmax', 'logistic', 'margin']).default(MEASURED.model.loss).meta({
        description: 'Training loss. `margin` is max-margin ranking.',
      }),
      beta: positive.default(MEASURED.model.beta).describe('Factor on the distance or the dot product.'),
      margin: z.number().default(MEASURED.model.margin).meta({
        description:
          "With the logistic loss: added to every score. With `loss: 'margin'`: how far a positive must lead; the default is then 1, and the value must be above 0. Softmax ignores it.",
      }),
      negativeWeight: positive
        .default(MEASURED.model.negativeWeight)
        .describe('Weight of the sum over the negatives in the softmax loss. The other losses ignore it.'),
      learningRate: positive
        .default(MEASURED.model.learningRate)
        .describe(
          'Learning rate of row-wise Adagrad. In a graph with `shards`, each shard takes 1.4 times this rate ([why](adr/038-copies-that-move.md)).',
        ),
      unitBall: z.boolean().default(MEASURED.model.unitBall).meta({
        description: 'Whether a vector longer than 1 is scaled back to length 1 after each step.',
      }),
      relationWeights: z.record(name, positive).default({}).meta({
        description:
          "Factor on the loss of a relation's edges, by the relation's name, such as `{ retweets: 2 }`. A relation without an entry has 1.",
      }),
    })
    .prefault({})
    .describe(
      'What the vectors mean. `dim` and `scorer` are fixed for the life of a store; for another model, train a [shadow store](replay-and-backup.md) and promote it.',
    ),

  training: z
    .strictObject({
      kernel: z.enum(['wasm', 'wasm-plain', 'reference', 'tfjs']).default('wasm').meta({
        description:
          'Code that computes a training step. `wasm`: relaxed SIMD. `wasm-plain`: the same bytes on every machine, and slower. A replay uses relaxed SIMD in place of `wasm` and `tfjs` where the processor multiplies and adds with one rounding, and `wasm-plain` elsewhere ([ADR 007](adr/007-committed-kernel.md)). `reference`: plain TypeScript in float64, slow, for comparison. `tfjs`: TensorFlow.js, [installed separately](tensorflow.md).',
      }),
      wide: z.enum(['auto', 'off']).default('auto').meta({
        description:
          'Whether `wasm` and `wasm-plain` may use registers of 256 bits. `auto`: where this Node can, and a race at the start of the process finds them faster with the same bytes; 1.6 times on the machine measured ([ADR 044](adr/044-wide-kernel.md)). `off`: never.',
      }),
      threads: whole.max(16).default(1).meta({
        description:
          "Threads that train one graph's table at the same time. With one, a second thread already computes a part of each step. With more, the quality is the same, but the same events no longer give the same bytes; on two cores that gains 5 to 7 % ([ADR 019](adr/019-hogwild.md)). A replay always has one thread; so have `reference` and `tfjs`.",
      }),
      seed: z.number().int().nonnegative().default(1).meta({
        description:
          'Seed of all random choices. With one thread, the same events in the same order and batches give the same bytes: on one machine, on all that multiply and add with one rounding, and with `wasm-plain` on every machine.',
      }),
      initScale: positive.optional().meta({
        unset: '√(3 / dim)',
        description:
          'Each number of a random first vector is uniform between −initScale and +initScale. The default gives a length of about 1.',
      }),
      updatesPerEdge: whole.max(64).default(4).meta({
        description:
          'Updates for each new edge: `ownUpdates` for the new edge, the others for live edges drawn uniformly ([rehearsal](glossary.md#rehearsal)). 4 ranks well on dense and on sparse graphs ([measured](quality.md)); more ranks better where edges stay, and 1 costs least. `twhin evaluate` says what your events need.',
      }),
      ownUpdates: whole.max(64).default(1).meta({
        description:
          'How many of the `updatesPerEdge` updates train the new edge itself, in as many rounds over its batch; rehearsal has the others. At most `updatesPerEdge`. With 2 of 4, a knowledge graph whose edges stay [ranked better](quality.md#knowledge-graphs), most of all in batches of some thousand edges.',
      }),
      decaySteps: whole.max(Number.MAX_SAFE_INTEGER).optional().meta({
        unset: 'constant',
        description:
          'Steps over which `model.learningRate` falls linearly towards 0, counted from the first step of the store; a step trains one chunk. From 99 % of the steps on, the rate is a hundredth. For training that ends, such as many passes over one graph: a live graph needs a constant rate.',
      }),
      batchEdges: whole.max(65_536).default(1024).describe('A batch is trained when it has this many edges.'),
      lingerMs: positive.default(100).describe('A batch that is not full is trained at this age.'),
      chunkEdges: whole.max(256).default(MEASURED.training.chunkEdges).meta({
        description: 'A batch is split into chunks of this many edges, which share their negatives.',
      }),
      uniformNegatives: z
        .number()
        .int()
        .nonnegative()
        .max(1024)
        .default(MEASURED.training.uniformNegatives)
        .describe(
          'Negatives drawn uniformly for each side of a chunk. At least 1 without `inBatchNegatives`.',
        ),
      inBatchNegatives: z.boolean().default(MEASURED.training.inBatchNegatives).meta({
        description:
          "Whether the entities of a chunk are also negatives for each other's edges. Popular entities are then negatives more often, and [rank far lower](performance.md#speed-against-quality) unless `correctNegatives` is true.",
      }),
      correctNegatives: z.boolean().default(MEASURED.training.correctNegatives).meta({
        description:
          "Whether the softmax loss subtracts from a negative's score the logarithm of how often it is drawn, as a multiple of a uniform draw (logQ correction). Scores then mean the same however the negatives are drawn. The other losses ignore it.",
      }),
      anchorNegatives: z.boolean().default(false).meta({
        description:
          'Whether each edge also has its own anchor as a negative, where both ends are of one entity type: a user who follows is a negative of whom the user follows. For graphs in which the anchor itself would rank first.',
      }),
      resendDistance: positive.optional().meta({
        unset: '0.2',
        description:
          'In a graph with `shards`: a vector is sent again to the shards that hold a copy once it has moved by this much. A smaller distance keeps copies fresher, and sends more. For dense graphs in many shards ([measured](scale.md)).',
      }),
      evaluatedEdges: z.number().int().nonnegative().default(16).meta({
        description: 'Edges of each batch that are ranked before they are learned, to measure quality.',
      }),
    })
    .prefault({})
    .describe('How a graph is trained.'),

  commit: z
    .strictObject({
      // With the largest batch beside it, the states of its entities are an entry that a backup takes.
      everyEdges: whole.max(500_000).default(16_384).describe('A commit follows after this many edges.'),
      everyMs: positive
        .default(100)
        .describe(
          'A commit follows at the latest after this time, or after twice as long while the updater is more than 5 s behind. A replay commits by count alone.',
        ),
      recoverMs: positive
        .default(15_000)
        .describe(
          'A [checkpoint](glossary.md#checkpoint) is written after training took this much processor time. A start after a kill trains for one and a half times as long, at worst. With millions of entities that start trains for longer, because the writing of checkpoints takes at most one part in 24 of the time. Less is more bytes written.',
        ),
    })
    .prefault({})
    .describe(
      'When graph, journal and offsets are written to the store, in one atomic commit, and the vectors to a checkpoint.',
    ),

  publish: z
    .strictObject({
      epsilon: z.number().nonnegative().default(0.05).meta({
        description:
          'A published vector is published again when a new edge of its entity is trained and it has moved further than this. Without a new edge, it is when it has moved four times as far; while the updater is more than 5 s behind, by its age (`publish.maxAgeMs`) alone. A new vector is always published.',
      }),
      maxAgeMs: positive
        .default(60_000)
        .describe(
          'A vector that moved at all is published again at this age. At most 8,192 a second are, so that with millions of entities it takes longer. While the updater is more than 5 s behind, with reading or with publishing, no vector is published again before eight times the lag, or four times this age where that is sooner. An updater 10 s behind publishes the same vector again after 80 s.',
        ),
      maxOutbox: whole.default(262_144).meta({
        unit: 'vectors',
        description:
          'Reading pauses while this many vectors wait to be acknowledged. They are in memory: 128 MiB of 128 numbers each. With a value above `limits.maxEntities` reading never pauses.',
      }),
    })
    .prefault({})
    .describe('When a vector goes to the embeddings topic.'),

  limits: z
    .strictObject({
      maxEntities: whole
        .default(4_000_000)
        .describe(
          'Most entities of a graph. Each takes (dim + 4) × 4 bytes of memory once it exists. [Rows](glossary.md#row) of erased entities are used again.',
        ),
      maxKnownEdges: whole.max(500_000_000).default(200_000_000).meta({
        description:
          'Most live edges of a graph, about 20 bytes of memory each. An updater with more stops and says so; nothing is lost. Live edges are kept out of the negatives, and are rehearsed.',
      }),
      queueBytes: whole
        .default(32 * 1024 * 1024)
        .describe('Most bytes of records that are read ahead of training; reading pauses at this bound.'),
      valueBytes: whole
        .default(65_536)
        .describe('A record with a larger value goes to the [dead letters](glossary.md#dead-letter).'),
      depth: whole.default(8).describe('A record whose JSON nests deeper goes to the dead letters.'),
      readyLagMs: positive
        .default(60_000)
        .describe('An updater that is further behind is not [ready](http.md#ready).'),
      // A timer takes no more, and would end the stop at once.
      stopMs: positive
        .max(2 ** 31 - 1)
        .default(30_000)
        .describe(
          'Time that a graceful stop may take. After two thirds of it, the stop waits for the brokers no longer.',
        ),
    })
    .prefault({})
    .describe('Bounds on memory, records and time.'),

  log: z
    .strictObject({
      level: z.enum(['debug', 'info', 'warn', 'error']).default('info').meta({
        description: 'Lowest level that is logged. `--verbose` wins.',
      }),
    })
    .prefault({})
    .describe('The log lines.'),

  entityTypes: z.array(name).default([]).meta({
    description:
      'Entity types of your own, beside `user`, `tweet`, `ad`, `advertiser` and `query`. The name of an entity type, a relation or a graph begins with a lower-case letter; more lower-case letters, digits and dashes may follow.',
  }),
  relations: z.array(relation).readonly().default([]).meta({
    description:
      "Relations of your own, beside TwHIN's: `{ name, lhs, rhs }`, with an entity type at each end. Their order does not count. A relation with the name of one of TwHIN's replaces it.",
  }),
  topics: z.array(eventTopic).default([]).meta({
    description:
      'Event topics of your own, made with `defineTopic` ([example](wire-contract.md#a-topic-of-your-own)).',
  }),
  graphs: z.record(name, graph).default({}).meta({
    description:
      'Graphs by name, each with its `topics`, `relations`, `erasure` and `shards`. Without an entry there are the two graphs that come with twhin-stream, `engagement` and `follow`. With an entry there are the graphs of the entries alone; one called `engagement` or `follow` has the topics and relations of that graph where none are given. Each graph also reads the topic `erasure`, unless `erasure` is `false`. The relations and entity types of a graph are fixed for the life of its store. `shards`, 1 unless given, is the number of parts that the graph is cut into, 1 to 256. Each part learns its entities with a store of its own, named `<graph>-<index>`, and `limits.maxEntities` counts for each. `twhin reshard` makes the stores for another number.',
  }),
  surfaces: z.record(name, surface).default({}).meta({
    description:
      "[Lists](serve.md#surfaces) by name, for `twhin serve` and `twhin candidates`: `{ products: { from: 'customer', to: 'product' } }`. `from` is the type of the entities that the list is for, or several; `to` is the type of what it shows. `relations` are those by which is asked: unless given, all that lead from `from` to `to`. `leaveOut` are relations whose targets are not shown again: unless given, those by which is asked; `[]` leaves out nothing. `atMost: { count: 2, by: 'promotes' }` shows at most two items that one entity leads to by that relation. `home`, `who-to-follow` and `ads` come with the graphs that have their relations; a surface of the same name replaces them.",
  }),
});

export type ConfigFile = z.infer<typeof configFileSchema>;
/** What a person writes. */
export type ConfigInput = z.input<typeof configFileSchema>;

/** Every key that a person can write, such as `publish.epsilon`, in the schema's order. */
export const CONFIG_KEYS: readonly string[] = Object.entries(configFileSchema.shape).flatMap(([key, type]) =>
  type instanceof z.ZodPrefault ? Object.keys(type.unwrap().shape).map((inner) => `${key}.${inner}`) : [key],
);

/** The keys that an object of the file may have. path: of the object. */
export function keysAt([section, each]: readonly string[]): readonly string[] {
  if (each !== undefined) return KEYS_OF_EACH[section ?? ''] ?? [];
  if (section === undefined) return Object.keys(configFileSchema.shape);
  return CONFIG_KEYS.flatMap((key) => (key.startsWith(`${section}.`) ? [key.slice(section.length + 1)] : []));
}
