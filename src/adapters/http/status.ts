import { z } from 'zod';

const counts = z.record(z.string(), z.number());
const quality = z.object({
  /** Edges behind it, old ones fading. */
  count: z.number(),
  mrr: z.number(),
  hits10: z.number(),
  popularityMrr: z.number(),
  randomMrr: z.number(),
});

export const readiness = z.object({
  graph: z.string(),
  ready: z.boolean(),
  phase: z.string(),
  /** Why it is not ready, a phrase each. */
  reasons: z.array(z.string()),
});

/** Body of /readyz: 200 where ready, else 503. */
export const readinessReport = z.object({ ready: z.boolean(), graphs: z.array(readiness) });

const graphStatus = readiness.extend({
  events: z.object({
    consumed: z.number(),
    rejected: z.number(),
    duplicate: z.number(),
    late: z.number(),
  }),
  /** Since the process began. */
  rejectedBy: counts,
  lag: z.array(
    z.object({
      topic: z.string(),
      partition: z.number(),
      records: z.number(),
      /** Absent where nothing of the partition was applied yet. */
      seconds: z.number().optional(),
    }),
  ),
  entities: counts,
  edges: counts,
  step: z.number(),
  loss: counts,
  quality: z.object({ known: z.record(z.string(), quality), new: z.record(z.string(), quality) }),
  published: z.number(),
  outbox: z.number(),
  /** Record taken from the log → vector acknowledged; absent before the first. */
  latencyMs: z.object({ p50: z.number().optional(), p99: z.number().optional() }),
  commits: z.number(),
  committedAt: z.number().optional(),
});

/** Body of /api/status. Times in epoch ms. */
export const status = z.object({ version: z.string(), now: z.number(), graphs: z.array(graphStatus) });

export type Readiness = z.infer<typeof readiness>;
export type ReadinessReport = z.infer<typeof readinessReport>;
export type GraphStatus = z.infer<typeof graphStatus>;
export type Status = z.infer<typeof status>;
