import { z } from 'zod';

/** Bodies of the dashboard's answers about one graph, and the queries that ask for them. Times are epoch ms. */

const graphName = z.string().min(1).max(100);
const entityId = z.string().min(3).max(600);

export const ofGraph = z.strictObject({ graph: graphName });
export const ofHistory = z.strictObject({ graph: graphName, range: z.enum(['hour', 'day']).default('hour') });
export const ofRejected = z.strictObject({ graph: graphName, values: z.enum(['yes', 'no']).default('no') });
export const ofEntity = z.strictObject({ graph: graphName, id: entityId });

/** Body of /api/history: columns of equal length, oldest point first; null for an unknown value. */
export const history = z.object({
  at: z.array(z.number()),
  curves: z.record(z.string(), z.array(z.number().nullable())),
});

/** Body of /api/rejected: the newest rejected records, newest first. */
export const rejected = z.array(
  z.object({
    code: z.string(),
    /** Present only with values=yes, because the message quotes the value. */
    message: z.string().optional(),
    topic: z.string(),
    partition: z.number(),
    offset: z.number(),
    timestamp: z.number(),
    /** Present only with values=yes: the first bytes as text; null for a tombstone. */
    value: z.string().nullable().optional(),
  }),
);

/** Body of /api/entity. */
export const entity = z.object({
  entity: z.string(),
  /** Live edges by relation: counts, and some of the other ends. */
  edges: z.record(z.string(), z.object({ out: z.number(), in: z.number(), some: z.array(z.string()) })),
  firstSeen: z.number(),
  lastSeen: z.number(),
  updates: z.number(),
  /** Step of the commit that last moved the vector, or published the vector because of its age. */
  step: z.number(),
  /** The points of the curves around that commit. Without `from`: before the oldest point; without `to`: after the newest. */
  movedBetween: z.object({ from: z.number().optional(), to: z.number().optional() }),
  norm: z.number(),
  /** Path of the vector since its last publication. */
  drift: z.number(),
  /** By entity type, best first; the score is the cosine. */
  nearest: z.record(z.string(), z.array(z.object({ entity: z.string(), score: z.number() }))),
});

/** Body of /api/map: a sample of entities in two dimensions. */
export const map = z.object({
  at: z.number(),
  points: z.array(
    z.object({ entity: z.string(), x: z.number(), y: z.number(), group: z.string().optional() }),
  ),
});

/** Body of /api/replays: the shadow stores that replays make or made. */
export const replays = z.array(
  z.object({
    store: z.string(),
    /** ISO 8601. */
    since: z.string(),
    finished: z.string().nullable(),
    settings: z.record(z.string(), z.string()),
    /** Time of the replay's last report, epoch ms; absent before the first. The fields below are from that report. */
    at: z.number().optional(),
    phase: z.string().optional(),
    perSecond: z.number().optional(),
    leftS: z.number().optional(),
    partitions: z.array(
      z.object({ topic: z.string(), partition: z.number(), done: z.number(), of: z.number() }),
    ),
    /** By relation: recent MRR of known entities, each event ranked before it is learned. */
    mrr: z.record(z.string(), z.number()),
  }),
);

export type HistoryView = z.infer<typeof history>;
export type RejectedView = z.infer<typeof rejected>;
export type EntityView = z.infer<typeof entity>;
export type MapView = z.infer<typeof map>;
export type ReplaysView = z.infer<typeof replays>;

/** Answers to these questions; undefined when there is no such graph or entity. */
export interface Views {
  history(graph: string, range: 'hour' | 'day'): HistoryView | undefined;
  rejected(graph: string, values: boolean): RejectedView | undefined;
  entity(graph: string, id: string): Promise<EntityView | undefined>;
  map(graph: string): Promise<MapView | undefined>;
  replays(graph: string): Promise<ReplaysView | undefined>;
}
