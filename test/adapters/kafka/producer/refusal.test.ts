import { KafkaJSNonRetriableError, KafkaJSNumberOfRetriesExceeded, KafkaJSProtocolError } from 'kafkajs';
import { expect, test } from 'vitest';
import { refusalOf } from '../../../../src/adapters/kafka/producer/refusal.ts';
import { RetryableError } from '../../../../src/errors/errors.ts';

const sent = { topic: 'vectors', largestBytes: 12_345, user: 'twhin', transactionalId: 'twhin-follow' };
const answer = (type: string) =>
  Object.assign(new KafkaJSProtocolError(new Error(`Kafka says ${type}`)), { type });

test.each([
  ['MESSAGE_TOO_LARGE', 'largest message has 12345 bytes: raise max.message.bytes of topic vectors', false],
  ['RECORD_LIST_TOO_LARGE', 'raise max.message.bytes of topic vectors', false],
  ['TOPIC_AUTHORIZATION_FAILED', 'grant WRITE on topic vectors to twhin', false],
  ['TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 'grant WRITE on transactional id twhin-follow to twhin', false],
  ['CLUSTER_AUTHORIZATION_FAILED', 'grant IDEMPOTENT_WRITE on the cluster to twhin', false],
  ['NOT_ENOUGH_REPLICAS', 'replicas of topic vectors back, or lower its min.insync.replicas', true],
  ['CONCURRENT_TRANSACTIONS', "the transaction before can't end: bring the brokers", true],
  ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'replicas of topic vectors back', true],
])('%s says what to do, however kafkajs wraps it', (type, what, waits) => {
  const cause = answer(type);
  const wrapped = [
    cause,
    Object.assign(new KafkaJSNonRetriableError(cause), { cause }),
    Object.assign(new KafkaJSNumberOfRetriesExceeded(cause, { retryCount: 5, retryTime: 20 }), { cause }),
  ];
  for (const error of wrapped) {
    const refusal = refusalOf(error, sent);
    expect(refusal?.error).toBeInstanceOf(RetryableError);
    expect(refusal?.error.code).toBe('refused');
    expect(refusal?.error.message).toContain(`Kafka says ${type}`);
    expect(refusal?.error.message).toContain(what);
    expect(refusal?.waits).toBe(waits);
  }
});

test('what passes by itself is no refusal', () => {
  for (const error of [
    answer('NOT_LEADER_FOR_PARTITION'),
    new Error('connect ECONNREFUSED'),
    'x',
    undefined,
  ]) {
    expect(refusalOf(error, sent)).toBeUndefined();
  }
});
