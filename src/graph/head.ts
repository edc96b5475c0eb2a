import { createHash } from 'node:crypto';
import { z } from 'zod';
import { FatalError, MAKE_AGAIN, reasonOf } from '../errors/errors.ts';
import type { Relation } from './edge.ts';
import { decodeSections, encodeSections, type Section } from './sections.ts';
import { graphOf, type Shard } from './shard.ts';

/** The layout of stores. A store of another format is refused; what is added to a store is a section, see `sections.ts`. */
export const STORE_FORMAT = 6;

/*
 * A head: MAGIC | format u8 | sections, each of JSON. Heads of formats below 6 are JSON as a whole.
 */
const MAGIC = Buffer.from('twhin store');

const count = z.number().int().nonnegative();

/** What every store has. */
const stateSchema = z.object({
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
  /** Where each topic is read on, by partition. */
  positions: z.record(
    z.string(),
    z.record(z.string().regex(/^\d{1,9}$/), z.object({ offset: count, epoch: count.optional() })),
  ),
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

/** The version of each section. A store may lack any but the first: it begins empty then, and a replay fills it. */
const SECTIONS = new Map([
  ['state', 1],
  ['written', 1],
  ['refused', 1],
]);
const OPTIONAL = ['written', 'refused'] as const;

export const headSchema = stateSchema.extend({
  /** The topic id that the log had for each topic that is written. */
  written: z.record(z.string(), z.string()).optional(),
  /** Topics that are not read on before somebody says how, and why. */
  refused: z
    .record(
      z.string(),
      z.object({ code: z.enum(['log-diverged', 'offset-out-of-range']), message: z.string() }),
    )
    .optional(),
});

/** The one small record that every commit rewrites: the state of the whole store. */
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

/** A place in a partition, and the history of the partition that led there. */
export interface Position {
  /** Next offset to read. */
  readonly offset: number;
  /** Leader epoch of the record before it: a log that lost records has the offset again, in another epoch. Absent where it is not known. */
  readonly epoch?: number | undefined;
}

/** By topic and partition. */
export type Positions = Readonly<Record<string, Readonly<Record<string, Position>>>>;

/** The offsets of positions alone. */
export function offsetsOf(positions: Positions): Record<string, Record<string, number>> {
  const ofTopic = (partitions: Positions[string]) =>
    Object.fromEntries(Object.entries(partitions).map(([partition, { offset }]) => [partition, offset]));
  return Object.fromEntries(
    Object.entries(positions).map(([topic, partitions]) => [topic, ofTopic(partitions)]),
  );
}

/** What the vectors of a store depend on: training can't go on with another model. */
export type ModelIdentity = Head['model'];

export function encodeHead({ written, refused, ...state }: Head): Buffer {
  const sections = Object.entries({ state, written, refused }).flatMap(([name, value]): Section[] => {
    const content = Buffer.from(JSON.stringify(value ?? null));
    return value === undefined ? [] : [{ name, version: SECTIONS.get(name) ?? 0, content }];
  });
  return Buffer.concat([MAGIC, Buffer.of(STORE_FORMAT), encodeSections(sections)]);
}

/** A section of another version than this program knows is passed over. @throws FatalError when the bytes are not a head, or that of another format. */
export function decodeHead(bytes: Uint8Array): Head {
  const head = Buffer.from(bytes);
  refuseFormat(head);
  try {
    const known = decodeSections(head.subarray(MAGIC.length + 1)).flatMap(({ name, version, content }) =>
      SECTIONS.get(name) === version ? [[name, JSON.parse(Buffer.from(content).toString())]] : [],
    );
    const { state, ...optional } = Object.fromEntries(known);
    return headSchema.parse({ ...state, ...optional });
  } catch (error) {
    throw damaged(error instanceof z.ZodError ? z.prettifyError(error) : reasonOf(error), error);
  }
}

/** Names of the sections of this version that a store lacks. */
export function lackingSections(head: Head): string[] {
  return OPTIONAL.filter((name) => head[name] === undefined);
}

/** @throws FatalError `store-format`, or `store-damaged` where the bytes have no format. */
function refuseFormat(head: Buffer): void {
  const format = formatOf(head);
  if (format === undefined) throw damaged('it does not begin as a head does', undefined);
  if (format !== STORE_FORMAT) {
    throw new FatalError(
      'store-format',
      `the store has format ${format}, and this version of twhin reads format ${STORE_FORMAT} alone: replay the topics with twhin replay --into NAME, or begin with ` +
        'the published vectors with twhin restore --from-topic --into NAME, and put the result in place with twhin promote NAME; or go on with the version that made the store',
    );
  }
}

function formatOf(head: Buffer): number | undefined {
  if (head.subarray(0, MAGIC.length).equals(MAGIC)) return head[MAGIC.length];
  try {
    const { format } = Object(JSON.parse(head.toString()));
    return typeof format === 'number' ? format : undefined;
  } catch {
    return undefined;
  }
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
