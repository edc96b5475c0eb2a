import { z } from 'zod';

/** Bodies of the health and status answers. Times are epoch ms, sizes are bytes. */

const counts = z.record(z.string(), z.number());
const quality = z.object({
  /** Edges behind the means; older edges count less. */
  count: z.number(),
  mrr: z.number(),
  hits10: z.number(),
  popularityMrr: z.number(),
  randomMrr: z.number(),
});
const byRelation = z.record(z.string(), quality);

export const readiness = z.object({
  graph: z.string(),
  ready: z.boolean(),
  phase: z.string(),
  /** Why the graph is not ready, one phrase each. */
  reasons: z.array(z.string()),
});

/** Body of /readyz, with 200 when ready and 503 otherwise. */
export const readinessReport = z.object({ ready: z.boolean(), graphs: z.array(readiness) });

const graphStatus = readiness.extend({
  kernel: z.string(),
  fingerprint: z.string(),
  space: z.string().optional(),
  epoch: z.number().optional(),
  events: z.object({
    consumed: z.number(),
    rejected: z.number(),
    duplicate: z.number(),
    late: z.number(),
  }),
  /** Since the process began, by topic and code. */
  rejectedBy: z.record(z.string(), counts),
  lag: z.array(
    z.object({
      topic: z.string(),
      partition: z.number(),
      records: z.number(),
      /** Absent before the first record of the partition is applied. */
      seconds: z.number().optional(),
    }),
  ),
  entities: counts,
  edges: counts,
  rows: z.object({ used: z.number(), free: z.number() }),
  step: z.number(),
  loss: counts,
  quality: z.object({ known: byRelation, new: byRelation }),
  /** Path of a vector between two publications, and its length, by entity type. */
  moved: z.record(
    z.string(),
    z.object({ mean: z.number().optional(), p99: z.number().optional(), norm: z.number() }),
  ),
  published: z.number(),
  retries: z.number(),
  outbox: z.object({ vectors: z.number(), oldestAgeMs: z.number() }),
  /** From taking a record from the log to the acknowledgement of its vector; absent before the first vector. */
  latencyMs: z.object({ p50: z.number().optional(), p99: z.number().optional() }),
  commits: z.number(),
  committedAt: z.number().optional(),
  disk: z.object({ used: z.number(), free: z.number(), size: z.number() }).optional(),
  /** What a shard and the others of its graph sent each other since the process began; absent where the graph is whole. */
  exchange: z
    .object({
      sentGradients: z.number(),
      sentVectors: z.number(),
      sentBytes: z.number(),
      receivedGradients: z.number(),
      receivedVectors: z.number(),
      repeatedGradients: z.number(),
      strayGradients: z.number(),
      unreadable: z.number(),
      /** Edges that wait for the vector of their far end. */
      waiting: z.number(),
      /** Copies of other shards' entities, and vectors that were asked for. */
      copies: z.number(),
      asked: z.number(),
      /** heardAt: when the newest parcel of the shard was written; absent before the first. */
      peers: z.array(z.object({ shard: z.number(), heardAt: z.number().optional() })),
      /** Age of vectors of other shards when they are applied. */
      vectorAgeMs: z.object({ p50: z.number().optional(), p99: z.number().optional() }),
    })
    .optional(),
  /** Starts of this graph, the newest last. */
  starts: z.array(z.number()),
});

/** The router of a cut graph in this process. Counts are since the process began. */
const routerStatus = readiness.extend({
  /** Partitions of event topics that this process routes; absent while it has no part of the group. */
  partitions: z.number().optional(),
  events: z.number(),
  rejectedBy: z.record(z.string(), counts),
  /** Events sent to shards; one that concerns two shards counts twice. */
  sent: z.number(),
  sentBytes: z.number(),
  retries: z.number(),
  /** What not every shard has been sent, of the partitions of this process. */
  lag: z.array(z.object({ topic: z.string(), partition: z.number(), records: z.number() })),
});

const headline = z.object({
  level: z.enum(['ok', 'warn', 'bad']),
  text: z.string(),
  /** Section of docs/runbook.md. */
  step: z.string().optional(),
});

/** Body of /api/status and of each event of /api/stream. */
export const status = z.object({
  version: z.string(),
  now: z.number(),
  startedAt: z.number(),
  headline,
  memoryBytes: z.number(),
  /** Warnings and errors of the log, the newest last. */
  faults: z.array(
    z.object({ at: z.number(), level: z.enum(['warn', 'error']), text: z.string(), times: z.number() }),
  ),
  graphs: z.array(graphStatus),
  /** One for each cut graph of the process. */
  routers: z.array(routerStatus),
});

export type Readiness = z.infer<typeof readiness>;
export type ReadinessReport = z.infer<typeof readinessReport>;
export type GraphStatus = z.infer<typeof graphStatus>;
export type RouterStatus = z.infer<typeof routerStatus>;
export type Status = z.infer<typeof status>;
