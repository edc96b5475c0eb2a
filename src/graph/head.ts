import { createHash } from 'node:crypto';
import { z } from 'zod';
import { FatalError, MAKE_AGAIN, reasonOf } from '../errors/errors.ts';
import type { Relation } from './edge.ts';
import { graphOf, type Shard } from './shard.ts';

/** Rises with each change of a store's layout or head. A store of another format is refused. */
export const STORE_FORMAT = 5;

const count = z.number().int().nonnegative();

/** The one small record that every commit rewrites: the state of the whole store. */
export const headSchema = z.object({
  format: z.literal(STORE_FORMAT),
  graph: z.string(),
  model: z.object({
    dim: count,
    scorer: z.string(),
    entityTypes: z.array(z.string()),
    relations: z.array(z.object({ name: z.string(), lhs: z.string(), rhs: z.string() })),
  }),
  /** Kernel steps so far, as of the commit `trained`. No published vector is of a later step. */
  step: count,
  /** State of the trainer's random sources. */
  random: z.array(count),
  /** Rows that were ever in use, relation rows included. */
  rows: count,
  /** Rows that the last commit of records freed: they may not be used again yet. */
  freed: z.array(count),
  offsets: z.record(z.string(), z.record(z.string().regex(/^\d{1,9}$/), count)),
  events: z.object({ consumed: count, rejected: count, duplicate: count, late: count }),
  /** Live edges by relation, entities by type. */
  edges: z.record(z.string(), count),
  entities: z.record(z.string(), count),
  /** Number of the commit, from 1. */
  commit: count,
  /** The commit that `step`, `random` and `relations` are as of, where it is not this one: batches are written ahead of the training. */
  trained: count.optional(),
  /** The commit that the checkpoint is of, 0 while there is none. The journal has what the trainer was given after it. */
  checkpoint: count,
  /** CRC-32 of the relation rows: all training moves them, so that they tell whether a journal led to the same vectors. */
  relations: count,
  /** All that was due by earlier commits than this one is acknowledged. Absent: nothing may be. */
  acknowledged: count.optional(),
  /** At least so many vectors and tombstones were not acknowledged, or not given by the trainer. 0: all were. */
  outbox: count,
  /** Newest event time, epoch ms. */
  watermark: z.number(),
  /** Rises with each process that writes the store or takes over the embeddings topic; published with each vector. */
  epoch: count,
  /** Names the training run that made the vectors. Vectors of two spaces are rotated against one another. */
  space: z.string(),
  /** Added to a row's step when it is published: another store may have published higher steps. */
  stepBase: count,
  /** The topic id that the log had for each topic when it was first read; absent where the log has no ids. */
  topicIds: z.record(z.string(), z.string()),
  /** Absent where the graph is whole. */
  shard: z
    .object({
      index: count,
      count,
      /** Names the store among all that this shard ever had. */
      run: z.string(),
      /** Edges handed to the trainer since the store began. */
      trained: count,
      /** Those of them whose batches have nothing left to send to other shards. */
      sent: count,
      /** By sender: the run, range of edges and part of the last parcel with gradients that was received. */
      received: z.record(z.string(), z.object({ run: z.string(), first: count, last: count, part: count })),
      /** Live edges whose lhs the shard owns, by relation, and entities that it owns, by type: over all shards they add up. */
      edges: z.record(z.string(), z.number()),
      entities: z.record(z.string(), z.number()),
    })
    .optional(),
});

export type Head = z.infer<typeof headSchema>;

/** The part of a store's head that a shard has. */
export type ShardHead = NonNullable<Head['shard']>;

/** The shard's part of a head for a new run, which trains all its edges again. own: what the shard owns. */
export function freshShard(
  { index, count }: Shard,
  run: string,
  own: Pick<ShardHead, 'edges' | 'entities'> = { edges: {}, entities: {} },
): ShardHead {
  return { index, count, run, trained: 0, sent: 0, received: {}, ...own };
}

/** What the vectors of a store depend on: training can't go on with another model. */
export type ModelIdentity = Head['model'];

export function encodeHead(head: Head): Buffer {
  return Buffer.from(JSON.stringify(head));
}

/** @throws FatalError when the bytes are not a head, or that of another format. */
export function decodeHead(bytes: Uint8Array): Head {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString());
  } catch (error) {
    throw damaged(reasonOf(error), error);
  }
  const format = Object(json).format;
  if (typeof format === 'number' && format !== STORE_FORMAT) {
    throw new FatalError(
      'store-format',
      `the store has format ${format}, and this version of twhin reads format ${STORE_FORMAT} alone: replay the topics with twhin replay --into NAME, or begin with ` +
        'the published vectors with twhin restore --from-topic --into NAME, and put the result in place with twhin promote NAME; or go on with the version that made the store',
    );
  }
  const parsed = headSchema.safeParse(json);
  if (!parsed.success) throw damaged(z.prettifyError(parsed.error), parsed.error);
  return parsed.data;
}

function damaged(reason: string, cause: unknown): FatalError {
  const message = `the store's head can't be read: ${reason}; ${MAKE_AGAIN}`;
  return new FatalError('store-damaged', message, { cause });
}

/** Sixteen hex digits that name the model: equal for models whose vectors may be compared. */
export function fingerprint(model: ModelIdentity): string {
  const canonical = JSON.stringify([
    model.dim,
    model.scorer,
    model.entityTypes,
    model.relations.map(({ name, lhs, rhs }) => [name, lhs, rhs]),
  ]);
  return createHash('sha256').update(canonical).digest('hex').slice(0, 16);
}

/** The differences between two models, a phrase each; empty when the models are equal. names: what the phrases call them. */
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

/** @throws FatalError `store-graph`, `store-model` where the store is not the one of this graph or shard, with this model. */
export function refuseOther(
  head: Head,
  graph: { readonly name: string; readonly model: ModelIdentity; readonly shard?: Shard | undefined },
): void {
  const { name, model, shard } = graph;
  const [stored, configured] = [partOf(head.shard), partOf(shard)];
  if (head.graph !== name) {
    throw new FatalError(
      'store-graph',
      `the store holds the graph ${head.graph}, not ${name}; give its folder the name of its graph back, or point TWHIN_STATE to the ` +
        `folder that holds the store of ${name}`,
    );
  }
  if (stored !== configured) {
    throw new FatalError(
      'store-graph',
      `the store of ${name} holds ${stored}, and the configuration asks for ${configured}; ` +
        'put the number of shards back, and change it with twhin reshard',
    );
  }
  const differing = differences(head.model, model);
  if (differing.length === 0) return;
  const whole = graphOf({ name, shard });
  throw new FatalError(
    'store-model',
    `the store of ${name} is another model's (fingerprint ${fingerprint(head.model)}, configured ${fingerprint(model)}).\n` +
      `${differing.map((line) => `  ${line}`).join('\n')}\n` +
      'Put the configuration back, or replay with the new configuration and promote:\n' +
      `  twhin replay --graph ${whole} --into NAME\n  twhin promote NAME --graph ${whole}`,
  );
}

function partOf(shard: Pick<Shard, 'index' | 'count'> | undefined): string {
  return shard === undefined ? 'a whole graph' : `shard ${shard.index} of ${shard.count}`;
}
