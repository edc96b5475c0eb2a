import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { FastifyInstance, RouteShorthandOptions } from 'fastify';
import { z } from 'zod';
import { reasonOf } from '../../errors/errors.ts';
import { type EntityKey, parseEntityKey } from '../../graph/entity.ts';
import { INTEREST_WAYS } from '../../serve/interests.ts';
import type { NamedVector } from '../../serve/reasons.ts';
import { MOST_USED, SEARCHED } from '../../serve/search.ts';
import type { QuestionLimits, Shard } from '../../serve/shard.ts';
import { type MissedReason, type ShardLink, ShardMissed, ShardRefused } from '../../serve/shard-link.ts';
import type { ShardAnswers, ShardQuestion, ShardQuestions } from '../../serve/shard-questions.ts';
import { type CandidatesAsked, SURFACES } from '../../serve/surfaces.ts';
import { COMPARED, type WeighedTrigram } from '../../serve/text-index.ts';
import { BODY_BYTES, MAX_ID, MOST_EXCLUDED, MOST_ITEMS, MOST_RANKED } from './limits.ts';
import { servedGraph } from './serving-schema.ts';

/** The largest is a body that was asked for, with some vectors. */
const QUESTION_BYTES = BODY_BYTES + (256 << 10);
/** What a list's questions have besides: bytes of a name, and of a vector with its name. */
const [NAME_BYTES, NAMED_VECTOR_BYTES] = [MAX_ID + 8, MAX_ID + (6 << 10)];
const ANSWER_BYTES = 64 << 20;
/** No model has more numbers in a vector. */
const MOST_NUMBERS = 1_024;
/** Of an answer, which is bounded by its bytes. */
const [ANSWERED_NAMES, ANSWERED_QUERIES] = [200_000, 256];
/** Of the text of a query, and of those that are compared with it. */
const [MOST_TRIGRAMS, MOST_COUNTED] = [MAX_ID + 2, (COMPARED + 1) * (MAX_ID + 2)];
const COUNTED_BYTES = 20 * MOST_COUNTED;
/** Connections kept to a shard; further questions wait for one of them. Whoever asks how it is waits for nobody. */
const [CONNECTIONS, STATE_CONNECTIONS] = [64, 2];
/** As a scan takes them: see `checkQueries`. */
const MAX_NUMBER = 2 ** 129;

const name = z.string().max(200);
const LONGEST_TYPE = 'advertiser:'.length;
const entity = z
  .string()
  .max(LONGEST_TYPE + MAX_ID)
  .transform((text, context): EntityKey => {
    try {
      return parseEntityKey(text);
    } catch (error) {
      context.addIssue(reasonOf(error));
      return z.NEVER;
    }
  });
const entities = z.array(entity);
const number = z.number();
const wholeNumber = z.number().int().min(0);
/** Little-endian numbers as base64: no number loses a bit, and they are read several times faster than as text. */
const float64s = z
  .base64()
  .max(MOST_NUMBERS * 11)
  .transform((text) => new Float64Array(bytesOf(text, 8)))
  .refine((numbers) => numbers.every((value) => Math.abs(value) <= MAX_NUMBER), 'a number is out of range');
const float32s = z
  .base64()
  .max(MOST_NUMBERS * 6)
  .transform((text) => new Float32Array(bytesOf(text, 4)));
const vectors = z.array(z.tuple([entity, float32s]).transform((pair): NamedVector => pair));

const scorer = z.enum(['transe-l1', 'transe-l2', 'transe-l2-squared', 'twhin']);
const space = { graph: name, space: name, fingerprint: name };
const queries = z.array(
  z.object({
    vector: float64s,
    weight: number,
    relation: name,
    scorer,
    beta: number,
  }),
);
const limit = { adsOfOne: wholeNumber.optional() };
const trigram = z.string().max(3);
const count = wholeNumber.max(MOST_ITEMS);
const asked = z.object({
  surface: z.enum(SURFACES),
  graph: name.optional(),
  user: entity,
  k: count,
  relation: name.optional(),
  exclude: entities.max(MOST_EXCLUDED).optional(),
  explain: z.boolean().optional(),
  interests: z.enum(INTEREST_WAYS).optional(),
  idleMs: number.optional(),
  decayMs: number.positive().optional(),
} satisfies { [Field in keyof Required<CandidatesAsked>]: z.ZodType });

/** No question of a process that merges lists has more than its request and its user can bring. */
function questionsOf(most: QuestionLimits): {
  readonly [Q in ShardQuestion]: z.ZodType<ShardQuestions[Q]>;
} {
  const look = { ...space, type: name, queries: queries.max(most.queries) };
  return {
    state: z.object({}),
    'begin-candidates': z.object({ asked }),
    'begin-similar': z.object({ entity, graph: name.optional() }),
    'begin-rank': z.object({ user: entity, relation: name, graph: name.optional() }),
    top: z.object({
      ...look,
      ...limit,
      leftOut: entities.max(most.leftOut + MOST_EXCLUDED),
      idleMs: number.optional(),
      decay: z.object({ halfLifeMs: number.positive(), at: number }).optional(),
      count,
      recent: vectors.max(most.recent).optional(),
      sharedWith: entity.optional(),
    }),
    popular: z.object({ ...space, ...limit, asked, count, known: z.boolean() }),
    vectors: z.object({ ...space, type: name, entities: entities.max(most.recent) }),
    // Candidates and negatives.
    scores: z.object({ ...look, entities: entities.max(2 * MOST_RANKED) }),
    ranks: z.object({ ...look, of: z.array(z.object({ entity, compared: number })).max(MOST_RANKED) }),
    'begin-search': z.object({
      ...{ query: entity, type: z.enum(SEARCHED) },
      ...{ graph: name.optional(), idleMs: number.optional() },
    }),
    'alike-texts': z.object({
      ...space,
      trigrams: z
        .array(z.tuple([trigram, number]).transform((pair): WeighedTrigram => pair))
        .max(MOST_TRIGRAMS),
    }),
    'trigram-counts': z.object({ ...space, trigrams: z.array(trigram).max(MOST_COUNTED) }),
    searchers: z.object({
      ...{ shown: z.object(space), searched: z.object(space) },
      ...{ type: z.enum(SEARCHED), graph: name.optional(), queries: entities.max(MOST_USED) },
    }),
    'popular-type': z.object({
      ...space,
      ...{ type: name, idleMs: number.optional(), count, known: z.boolean() },
    }),
    recent: z.object({ user: entity, k: count }),
    'random-user': z.object({}),
  };
}

const holding = {
  ...space,
  step: number,
  asOf: number,
  staleSince: number.nullable(),
  part: z.object({ held: z.array(wholeNumber), of: wholeNumber }),
};
const begun = z.object({
  begun: z.array(
    z.object({
      ...holding,
      type: name,
      holds: z.boolean(),
      queries: queries.max(ANSWERED_QUERIES),
      leftOut: entities.max(ANSWERED_NAMES),
      recent: entities.max(ANSWERED_NAMES),
      filtered: z.object({ seen: number, blocked: number, excluded: number, erased: number, idle: number }),
    }),
  ),
});
const reason = z
  .object({
    relation: name,
    share: number,
    score: number,
    near: entity.optional(),
    distance: number.optional(),
  })
  .transform(({ near, distance, ...of }) => ({
    ...of,
    ...(near !== undefined && { near }),
    ...(distance !== undefined && { distance }),
  }));
const items = z.object({
  items: z.array(
    z.object({
      ...{ entity, score: number, advertiser: entity.optional() },
      reason: reason.optional(),
      shared: z.object({ shared: entities, count: wholeNumber, of: wholeNumber }).optional(),
    }),
  ),
});
const moving = z.object({ relation: name, vector: float64s, scorer, beta: number });
const ownEdge = z.object({
  ...{ relation: name, entity, at: number },
  ...{ removed: z.boolean(), blocked: z.boolean() },
});
const ANSWERS: { readonly [Q in ShardQuestion]: z.ZodType<ShardAnswers[Q]> } = {
  state: z.object({ holdings: z.array(z.object(holding)), status: z.array(servedGraph).default([]) }),
  'begin-candidates': begun,
  'begin-similar': begun,
  'begin-rank': begun,
  top: items,
  popular: items,
  vectors: z.object({ vectors }),
  scores: z.object({ scores: z.array(z.object({ entity, score: number, compared: number })) }),
  ranks: z.object({ ranks: z.array(z.object({ ahead: number, of: number })) }),
  'begin-search': z.object({
    ...holding,
    filtered: z.object({ erased: number, idle: number }),
    holds: z.boolean(),
    shows: z.array(z.object({ of: moving, edges: number })).max(ANSWERED_QUERIES),
    searched: z.object({
      ...holding,
      ...{ known: z.boolean(), texts: number, counts: z.array(number), back: moving.optional() },
    }),
  }),
  'alike-texts': z.object({ texts: z.array(z.object({ text: z.string(), shared: number })) }),
  'trigram-counts': z.object({ texts: number, counts: z.array(number) }),
  searchers: z.object({
    of: z.array(z.object({ searchers: entities, vector: float32s.optional() })),
    vectors,
  }),
  'popular-type': items,
  recent: z.object({ user: entity, items: z.array(ownEdge) }),
  'random-user': z.object({ user: entity.optional() }),
};
const failure = z.object({
  error: z.string(),
  field: z.string().optional(),
  ready: z.boolean().optional(),
});

/** Where a process that merges lists asks: a path for each question, `POST` with JSON. */
const PATH = '/shard/';
/** Part of the answer at an unknown path. */
export const SHARD_PATHS = {
  [`${PATH}…`]: 'POST: the questions of twhin serve --shards, and of nobody else',
};

/** Adds the paths at which a process that merges lists asks this one. ready: refuses questions before all is read. */
export function addShard(server: FastifyInstance, shard: Shard, ready: RouteShorthandOptions): void {
  const { limits } = shard;
  const questions = questionsOf(limits);
  const topBytes = QUESTION_BYTES + limits.leftOut * NAME_BYTES + limits.recent * NAMED_VECTOR_BYTES;
  const bytes: Partial<Record<ShardQuestion, number>> = { top: topBytes, 'trigram-counts': COUNTED_BYTES };
  // One client asks for everybody: what bounds it is that a busy shard refuses.
  const options: RouteShorthandOptions = { ...ready, config: { rateLimit: false } };
  const add = <Q extends ShardQuestion>(question: Q) => {
    const bodyLimit = bytes[question] ?? QUESTION_BYTES;
    server.post(PATH + question, { ...options, bodyLimit }, async (asking, reply) => {
      const parsed = questions[question].safeParse(asking.body);
      if (!parsed.success) {
        const [issue] = parsed.error.issues;
        const field = issue?.path.join('.') ?? 'body';
        return reply.code(400).send({ error: `${field}: ${issue?.message}`, field });
      }
      const answer = await shard.answer(question, parsed.data);
      return reply.type('application/json').send(textOf(answer));
    });
  };
  for (const question of Object.keys(ANSWERS)) if (isQuestion(question)) add(question);
}

function isQuestion(text: string): text is ShardQuestion {
  return Object.hasOwn(ANSWERS, text);
}

/** A process that serves some partitions, asked over connections that are kept. */
export class HttpShardLink implements ShardLink {
  readonly url: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  readonly #stateAgent = new Agent({ keepAlive: true, maxSockets: STATE_CONNECTIONS });
  /** The text of a question that several shards are asked is made once. */
  readonly #textOf: (question: object) => string;

  /** url: `http://host:port`. */
  constructor(url: string, texts: (question: object) => string = textOf) {
    this.url = url;
    this.#textOf = texts;
  }

  async ask<Q extends ShardQuestion>(
    question: Q,
    asked: ShardQuestions[Q],
    timeoutMs: number,
  ): Promise<ShardAnswers[Q]> {
    const agent = question === 'state' ? this.#stateAgent : this.#agent;
    const { status, text } = await this.#post(agent, PATH + question, this.#textOf(asked), timeoutMs);
    try {
      const value: unknown = JSON.parse(text);
      if (status === 200) return ANSWERS[question].parse(value);
      const { error, field, ready } = failure.parse(value);
      if (status === 400) throw new ShardRefused(error, field);
      if (ready === false) throw new ShardMissed('reading', error);
      throw new ShardMissed(MISSED[status] ?? 'broken', error);
    } catch (error) {
      if (error instanceof ShardRefused || error instanceof ShardMissed) throw error;
      throw new ShardMissed('broken', `an answer that is not understood: ${reasonOf(error)}`, {
        cause: error,
      });
    }
  }

  close(): void {
    this.#agent.destroy();
    this.#stateAgent.destroy();
  }

  /** A server may close a kept connection at the moment of a request, which is then sent again: no question changes anything. */
  async #post(
    agent: Agent,
    path: string,
    body: string,
    timeoutMs: number,
  ): Promise<{ status: number; text: string }> {
    const url = new URL(path, this.url);
    let sent = send(url, agent, body);
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      sent.asking.destroy();
    }, timeoutMs);
    try {
      return await sent.answer.catch((error: unknown) => {
        if (isLate || !sent.asking.reusedSocket || error instanceof ShardMissed) throw error;
        sent = send(url, false, body);
        return sent.answer;
      });
    } catch (error) {
      if (error instanceof ShardMissed) throw error;
      if (isLate) throw new ShardMissed('late', `no answer within ${Math.round(timeoutMs)} ms`);
      throw new ShardMissed('unreachable', reasonOf(error), { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Sends a request. agent: false for a connection of its own. */
function send(
  url: URL,
  agent: Agent | false,
  body: string,
): { readonly asking: ClientRequest; readonly answer: Promise<{ status: number; text: string }> } {
  const reply = Promise.withResolvers<IncomingMessage>();
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const asking = request(url, { agent, method: 'POST', headers }, reply.resolve);
  asking.on('error', reply.reject);
  asking.end(body);
  const read = async () => {
    const message = await reply.promise;
    return { status: message.statusCode ?? 0, text: await whole(message) };
  };
  return { asking, answer: read() };
}

/** Why an answer with that status is of no use. */
const MISSED: Readonly<Record<number, MissedReason>> = { 409: 'moved', 429: 'busy', 503: 'busy' };

/** Links whose questions are turned into text once for all of them. */
export function shardLinks(urls: readonly string[]): HttpShardLink[] {
  const texts = new WeakMap<object, string>();
  const once = (question: object): string => {
    const text = texts.get(question) ?? textOf(question);
    texts.set(question, text);
    return text;
  };
  return urls.map((url) => new HttpShardLink(url, once));
}

async function whole(reply: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of reply) {
    const chunk = Buffer.from(part);
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES) throw new ShardMissed('broken', `an answer of more than ${ANSWER_BYTES} bytes`);
    parts.push(chunk);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** JSON in which vectors are base64. */
function textOf(value: object): string {
  return JSON.stringify(value, (_, each: unknown) => {
    if (!(each instanceof Float64Array || each instanceof Float32Array)) return each;
    return Buffer.from(each.buffer, each.byteOffset, each.byteLength).toString('base64');
  });
}

/** @throws RangeError when the bytes are no whole numbers of `size` bytes. */
function bytesOf(text: string, size: number): ArrayBuffer {
  const bytes = Buffer.from(text, 'base64');
  const copy = new ArrayBuffer(bytes.length - (bytes.length % size));
  new Uint8Array(copy).set(bytes.subarray(0, copy.byteLength));
  return copy;
}
