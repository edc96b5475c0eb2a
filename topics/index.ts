import { adClick } from './ad-click.ts';
import { engagement } from './engagement.ts';
import { erasure } from './erasure.ts';
import { follow } from './follow.ts';
import { search } from './search.ts';
import type { EventTopic } from './topic.ts';

/** The event topics of TwHIN; a configuration may add its own. */
export const EVENT_TOPICS: readonly EventTopic[] = [engagement, follow, adClick, search, erasure];

export type { DeadLetter, RejectedRecord, Rejection } from './dead-letter.ts';
export { DEAD_LETTER, deadLetter, deadLetterDeclaration } from './dead-letter.ts';
export type { TopicDeclaration } from './declaration.ts';
export { DEFAULT_PREFIX, eventDeclaration, fullName, topicName, topicNamed, WEEK_MS } from './declaration.ts';
export type { Dtype, Embedding, EmbeddingHeaders } from './embeddings.ts';
export {
  decodeEmbedding,
  decodeVector,
  EmbeddingReader,
  embeddingHeaders,
  embeddingsDeclaration,
  embeddingsName,
  encodeVector,
} from './embeddings.ts';
export { erasureOf } from './erasure.ts';
export type { Field } from './fields.ts';
export { actionField, entityField, idField, instantField, queryField, secondsField } from './fields.ts';
export type { PublishedScorer, RelationHeaders, RelationSide, RelationVector } from './model.ts';
export {
  decodeRelation,
  isPublishedScorer,
  modelDeclaration,
  modelName,
  relationHeaders,
  relationKey,
} from './model.ts';
export type { Reason } from './reasons.ts';
export { REASONS } from './reasons.ts';
export type { EventRecord, RecordLimits } from './record.ts';
export { DEFAULT_LIMITS, readEvent, readRecord } from './record.ts';
export { edgesDeclaration, edgesName, exchangeDeclaration, exchangeName } from './shards.ts';
export type { EventTopic, ReadEvent, Retention, TopicDefinition, TopicNames } from './topic.ts';
export { defineTopic, nameProblem } from './topic.ts';
export { adClick, engagement, erasure, follow, search };
