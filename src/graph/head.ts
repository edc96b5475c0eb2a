import { createHash } from 'node:crypto';
import { z } from 'zod';
import { FatalError, reasonOf } from '../errors/errors.ts';
import type { Relation } from './relation.ts';

const count = z.number().int().nonnegative();

/** The one small record that every commit rewrites: what the whole store stands at. */
export const headSchema = z.object({
  format: z.literal(1),
  graph: z.string(),
  model: z.object({
    dim: count,
    scorer: z.string(),
    entityTypes: z.array(z.string()),
    relations: z.array(z.object({ name: z.string(), lhs: z.string(), rhs: z.string() })),
  }),
  /** Kernel steps so far. */
  step: count,
  /** State of the trainer's random sources. */
  random: z.array(count),
  /** Rows that were ever in use, relation rows included. */
  rows: count,
  /** Of these, those of the entities that the last commit of records erased: they are not to be used yet. */
  freed: z.array(count).default([]),
  offsets: z.record(z.string(), z.record(z.string(), count)),
  events: z.object({ consumed: count, rejected: count, duplicate: count, late: count }),
  /** Live edges by relation, entities by type. */
  edges: z.record(z.string(), count),
  entities: z.record(z.string(), count),
  /** Vectors and tombstones not acknowledged, each name once. The stored parts hold these and may hold more. */
  outbox: count,
  /** Stored parts of the outbox: one that is lost is missed, whatever the others hold. */
  outboxParts: count.default(0),
  /** Newest event time seen, epoch ms. */
  watermark: z.number(),
  /** Rises with each process that writes the store or takes the embeddings topic over; published with each vector. */
  epoch: count.default(0),
  /** Names the run of training the vectors come from: vectors of two spaces are turned against one another. */
  space: z.string().default(''),
  /** Added to a row's step when it is published: the topic may hold higher ones from another store. */
  stepBase: count.default(0),
  /** The log's own identity of each topic when it was first read; absent where the log has none. */
  topicIds: z.record(z.string(), z.string()).default({}),
});

export type Head = z.infer<typeof headSchema>;

/** What a store's vectors depend on: another model can't go on from them. */
export type ModelIdentity = Head['model'];

export function encodeHead(head: Head): Buffer {
  return Buffer.from(JSON.stringify(head));
}

/** @throws FatalError when the record is not one of ours. */
export function decodeHead(bytes: Uint8Array): Head {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString());
  } catch (error) {
    throw damaged(reasonOf(error), error);
  }
  const parsed = headSchema.safeParse(json);
  if (!parsed.success) throw damaged(z.prettifyError(parsed.error), parsed.error);
  return parsed.data;
}

function damaged(reason: string, cause: unknown): FatalError {
  return new FatalError(
    'store-damaged',
    `the store's head can't be read: ${reason}; start from a fresh TWHIN_STATE: it is rebuilt from the topics`,
    { cause },
  );
}

/** Sixteen hex digits that name the model: equal exactly where vectors may be compared. */
export function fingerprint(model: ModelIdentity): string {
  const canonical = JSON.stringify([
    model.dim,
    model.scorer,
    model.entityTypes,
    model.relations.map(({ name, lhs, rhs }) => [name, lhs, rhs]),
  ]);
  return createHash('sha256').update(canonical).digest('hex').slice(0, 16);
}

/** What differs between two models, a phrase each; empty when they are one. names: whose they are. */
export function differences(
  stored: ModelIdentity,
  configured: ModelIdentity,
  names: readonly [string, string] = ['the store', 'the configuration'],
): string[] {
  const found: string[] = [];
  const compare = (what: string, a: string, b: string) => {
    if (a !== b) found.push(`${what}: ${names[0]} has ${a}, ${names[1]} ${b}`);
  };
  const shown = (relations: readonly Relation[]) =>
    relations.map(({ name, lhs, rhs }) => `${name} (${lhs} → ${rhs})`).join(', ');
  compare('dim', String(stored.dim), String(configured.dim));
  compare('scorer', stored.scorer, configured.scorer);
  compare('relations', shown(stored.relations), shown(configured.relations));
  compare('entity types', stored.entityTypes.join(', '), configured.entityTypes.join(', '));
  return found;
}
