import {
  MultipleErrors,
  NetworkError,
  ProtocolError,
  protocolErrors,
  ResponseError,
} from '@platformatic/kafka';
import { expect, test } from 'vitest';
import { isLasting, refusalOf } from '../../../../src/adapters/kafka/producer/producer.ts';
import { RetryableError } from '../../../../src/errors/errors.ts';

const sent = { topic: 'vectors', largestBytes: 12_345, user: 'twhin', transactionalId: 'twhin-follow' };
const [PRODUCE, VERSION] = [0, 9];
/** The client's error for an answer with this error code. */
const answer = (type: string) => {
  const { code } = protocolErrors[type]!;
  return new ResponseError(PRODUCE, VERSION, { '/topics/0/partitions/0': [code, null] }, {});
};

test.each([
  ['MESSAGE_TOO_LARGE', 'largest message has 12345 bytes: raise max.message.bytes of topic vectors', false],
  ['RECORD_LIST_TOO_LARGE', 'raise max.message.bytes of topic vectors', false],
  ['TOPIC_AUTHORIZATION_FAILED', 'grant WRITE on topic vectors to twhin', false],
  ['TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 'grant WRITE on transactional id twhin-follow to twhin', false],
  ['CLUSTER_AUTHORIZATION_FAILED', 'grant WRITE on topic vectors to twhin', false],
  ['NOT_ENOUGH_REPLICAS', 'replicas of topic vectors back, or lower its min.insync.replicas', true],
  ['CONCURRENT_TRANSACTIONS', "the previous transaction can't end: bring the brokers", true],
  ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'replicas of topic vectors back', true],
])('%s says what to do, however the client wraps it', (type, what, waits) => {
  const cause = answer(type);
  const wrapped = [
    new ProtocolError(type),
    cause,
    new MultipleErrors('2 brokers failed', [new NetworkError('connect ECONNREFUSED'), cause]),
    new NetworkError('the request failed', { cause }),
  ];
  for (const error of wrapped) {
    const refusal = refusalOf(error, sent);
    expect(refusal).toBeInstanceOf(RetryableError);
    expect(refusal?.code).toBe(type.endsWith('TOO_LARGE') ? 'message-too-large' : 'refused');
    expect(refusal?.message).toContain(type);
    expect(refusal?.message).toContain(what);
    expect(isLasting(error)).toBe(!waits);
  }
});

test('an error that passes by itself is no refusal', () => {
  for (const error of [answer('NOT_LEADER_OR_FOLLOWER'), new Error('connect ECONNREFUSED'), 'x', undefined]) {
    expect([refusalOf(error, sent), isLasting(error)]).toEqual([undefined, false]);
  }
});
