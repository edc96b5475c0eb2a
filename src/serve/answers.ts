import { z } from 'zod';
import { parseEntityKey } from '../graph/entity.ts';
import { INTEREST_WAYS } from './interests.ts';

const entity = z.string().transform(parseEntityKey);
export const interests = z.enum(INTEREST_WAYS);

/** What each answer says of the graph and the vectors that it is made of. */
const head = z.object({
  graph: z.string(),
  space: z.string().meta({ description: 'Training run of the vectors.' }),
  step: z.number().meta({ description: 'Highest training step of the vectors.' }),
  asOf: z.number().meta({ description: 'Time of the newest event that is known, epoch ms.' }),
  staleSince: z
    .number()
    .nullable()
    .meta({ description: 'Since when the brokers are out of reach, epoch ms; null while they answer.' }),
  fallback: z
    .literal('popular')
    .nullable()
    .meta({ description: 'popular: the entity has no vector, or nothing is known of the query.' }),
});
const reason = z.object({
  /** The relation that says most for it, and its share of the entity's own edges. */
  relation: z.string(),
  share: z.number(),
  score: z.number(),
  near: entity.optional().meta({ description: "Nearest of the entity's other own targets." }),
  distance: z.number().optional().meta({ description: 'From near, L2 between the two vectors.' }),
});
const items = z.array(z.object({ entity, score: z.number().nullable(), reason: reason.optional() }));
const erased = z.number().meta({
  description: 'Entities whose erasure was read and whose vectors are still in the topic.',
});
const excluded = z.number().meta({ description: 'By the request, and by nothing else.' });
const candidatesAnswer = z.object({
  items,
  ...head.shape,
  filtered: z.object({
    seen: z.number().meta({
      description: 'Targets of the relations that the list leaves out, also where that was taken back.',
    }),
    blocked: z.number().meta({ description: 'By the entity, and those who blocked it.' }),
    excluded,
    erased,
    idle: z.number(),
  }),
  seenComplete: z.boolean().meta({
    description:
      'Whether all is remembered that the event topics told of what the entity has seen and blocked.',
  }),
  interests: interests.meta({ description: 'How the list was made.' }),
});
const shared = z.object({
  shared: z.array(entity).meta({ description: 'Neighbours of both entities, the newest ones.' }),
  count: z.number().meta({ description: 'How many neighbours they share.' }),
  of: z.number().meta({ description: 'Of so many neighbours of the entity that was asked for.' }),
});
const similarAnswer = z.object({
  items: z.array(z.object({ entity, score: z.number(), reason: shared.optional() })),
  ...head.shape,
  filtered: z.object({ excluded, erased }),
});
const searchAnswer = z.object({
  items: z.array(z.object({ entity, score: z.number().nullable() })),
  ...head.shape,
  filtered: z.object({ erased, idle: z.number() }),
  query: z.object({
    text: z.string().meta({ description: 'As it was understood: lower case, single spaces.' }),
    known: z.boolean().meta({
      description: 'Whether the query has a vector; the list of another one is of popular entities.',
    }),
    graph: z.string().meta({ description: 'The graph that knows who searched it.' }),
  }),
});
const rankAnswer = z.object({
  items: z.array(z.object({ entity, score: z.number() })).meta({ description: 'The highest score first.' }),
  ...head.shape,
  missing: z.array(entity).meta({ description: 'Candidates without a vector.' }),
});
const randomAnswer = z.object({ entity });
const recentAnswer = z.object({
  entity,
  items: z
    .array(
      z.object({
        relation: z.string(),
        entity,
        at: z.number().meta({ description: 'Time of the event, epoch ms.' }),
        removed: z.boolean().meta({ description: 'The event took the edge back, such as an unlike.' }),
        blocked: z.boolean().meta({ description: 'The event was a block.' }),
      }),
    )
    .meta({ description: 'The newest first, each edge with its newest event.' }),
});
const share = z.number().min(0).max(1);
const servedGraph = z.object({
  graph: z.string(),
  reasons: z.array(z.string()).meta({ description: 'Why it can not be asked now; none once it is read.' }),
  relations: z
    .array(z.object({ name: z.string(), lhs: z.string(), rhs: z.string() }))
    .meta({ description: 'Each leads from the type lhs to the type rhs.' }),
  surfaces: z.array(z.object({ name: z.string(), from: z.array(z.string()), to: z.string() })),
  space: head.shape.space,
  step: head.shape.step,
  staleSince: head.shape.staleSince,
  vectorsAsOf: z.number().meta({ description: 'Time of the newest event that is in the vectors, epoch ms.' }),
  eventsAsOf: z.number().meta({ description: 'Time of the newest event that was read, epoch ms.' }),
  eventsSince: z.number().meta({
    description: 'From when on all events are known, epoch ms; 0 where the topics still have the first ones.',
  }),
  vectors: z.record(z.string(), z.number()).meta({ description: 'Vectors by entity type.' }),
  read: z.object({ vectors: share, events: share }).meta({
    description: 'Share that is read of what the topics held at the start; 1 when the graph is up to date.',
  }),
});
const statusAnswer = z.object({
  version: z.string(),
  ready: z.boolean(),
  reasons: z.array(z.string()).meta({ description: 'Why not.' }),
  graphs: z.array(servedGraph),
  actions: z.array(z.object({ name: z.string(), type: z.string() })).meta({
    description:
      'What a demo lets its page do, and to which type; none where the server is read-only, as `twhin serve` is.',
  }),
});

/** What is answered, by its name in OpenAPI. */
export const answers = {
  CandidatesAnswer: candidatesAnswer,
  SimilarAnswer: similarAnswer,
  SearchAnswer: searchAnswer,
  RankAnswer: rankAnswer,
  RecentAnswer: recentAnswer,
  RandomAnswer: randomAnswer,
  StatusAnswer: statusAnswer,
};

export type AnswerHead = z.infer<typeof head>;
export type Answer = z.infer<typeof candidatesAnswer>;
export type SimilarAnswer = z.infer<typeof similarAnswer>;
export type SearchAnswer = z.infer<typeof searchAnswer>;
export type RankAnswer = z.infer<typeof rankAnswer>;
export type RecentAnswer = z.infer<typeof recentAnswer>;
export type StatusAnswer = z.infer<typeof statusAnswer>;
export type ServedStatus = z.infer<typeof servedGraph>;
/** Why an entity is in a list. */
export type ItemReason = z.infer<typeof reason>;
/** The neighbours that two entities share, as far as they are remembered. */
export type SharedNeighbours = z.infer<typeof shared>;
