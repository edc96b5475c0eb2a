import {
  AuthenticationError,
  MultipleErrors,
  NetworkError,
  ProtocolError,
  protocolErrors,
  ResponseError,
  TimeoutError,
  UserError,
} from '@platformatic/kafka';
import { describe, expect, test } from 'vitest';
import {
  answered,
  kafkaError,
  memberIdIn,
  protocolError,
  reasonsOf,
} from '../../../src/adapters/kafka/failure.ts';
import { BadEvent, FatalError, RetryableError, UsageError } from '../../../src/errors/errors.ts';

const settings = { brokers: ['one:9092', 'two:9092'], clientId: 'test' };
const [FETCH, VERSION] = [1, 12];
const response = (...ids: string[]) =>
  new ResponseError(
    FETCH,
    VERSION,
    Object.fromEntries(ids.map((id, n) => [`/topics/${n}`, [protocolErrors[id]!.code, null]])),
    { topics: ids },
  );
const failure = (cause: unknown) => kafkaError('reading', settings, cause);
const refused = new NetworkError('Connection to one:9092 failed.', {
  cause: Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:9092'), { code: 'ECONNREFUSED' }),
});

const login = new AuthenticationError('SASL authentication failed.', {
  cause: new ProtocolError('SASL_AUTHENTICATION_FAILED'),
});
const several = (...causes: Error[]) => new MultipleErrors('Cannot connect to any broker.', causes);
const UNREACHABLE = /^reading failed: no answer from one:9092,two:9092: .*KAFKA_BROKERS/;
const REFUSED_LOGIN = /^one:9092,two:9092 refused the login: .*SASL_AUTHENTICATION_FAILED.*password/;
const OWN_FAULT = /^reading failed in this process, not at /;
const denied = (id: string, right: string) =>
  new RegExp(`^reading is denied at one:9092,two:9092: .*${id}.*; grant ${right}`);

describe('the error of a failure', () => {
  test.each([
    ['a refused connection', refused, 'broker-unreachable', UNREACHABLE],
    ['several refused connections', several(refused, refused), 'broker-unreachable', UNREACHABLE],
    ['no answer in time', new TimeoutError('Request timed out'), 'broker-unreachable', UNREACHABLE],
    ['another refusal', response('COORDINATOR_LOAD_IN_PROGRESS'), 'broker-answered', /COORDINATOR_LOAD/],
  ])('of %s is retryable', (_, cause, code, message) => {
    const expected = { name: 'RetryableError', code, cause, message: expect.stringMatching(message) };
    expect(failure(cause)).toMatchObject(expected);
  });

  test.each([
    ['a refused login', login, 'broker-refused', REFUSED_LOGIN],
    ['a wrapped one', several(new NetworkError('x', { cause: login })), 'broker-refused', REFUSED_LOGIN],
    ['a refused setting', new UserError('No mechanism'), 'broker-refused', /KAFKA_SASL_MECHANISM/],
    ['a TypeError', new TypeError('Cannot read properties of undefined'), 'client-fault', OWN_FAULT],
    ['a RangeError', new RangeError('Maximum call stack size exceeded'), 'client-fault', OWN_FAULT],
    ['any other error', new Error('assertion failed'), 'client-fault', OWN_FAULT],
    ['a thrown text', 'thrown text', 'client-fault', OWN_FAULT],
    ['a fault beside a failure of brokers', several(refused, new TypeError('x')), 'client-fault', OWN_FAULT],
    [
      'a wrapped fault',
      new NetworkError('closed', { cause: new RangeError('y') }),
      'client-fault',
      OWN_FAULT,
    ],
    ...[
      ['TOPIC_AUTHORIZATION_FAILED', 'READ and DESCRIBE on the topics'],
      ['GROUP_AUTHORIZATION_FAILED', 'READ and DESCRIBE on the group'],
      ['CLUSTER_AUTHORIZATION_FAILED', 'the cluster right'],
    ].flatMap(([id = '', right = '']) =>
      [new ProtocolError(id), response(id)].map(
        (cause) => [id, cause, 'not-authorized', denied(id, right)] as const,
      ),
    ),
  ] as const)('of %s is fatal', (_, cause, code, message) => {
    const expected = { name: 'FatalError', code, message: expect.stringMatching(message) };
    expect(failure(cause)).toMatchObject(expected);
  });

  test('errors of this program pass unchanged, even when the client wraps them', () => {
    for (const own of [
      new RetryableError('no-leader', 'x'),
      new FatalError('log-format', 'x'),
      new UsageError('x'),
      new BadEvent('not-json', 'x'),
    ]) {
      expect(failure(own)).toBe(own);
      expect(failure(new AuthenticationError('login failed', { cause: own }))).toBe(own);
    }
  });
});

describe('what a broker refused', () => {
  test('is found by name, however it is wrapped', () => {
    const error = response('UNKNOWN_MEMBER_ID');
    for (const cause of [
      error,
      new MultipleErrors('x', [refused, error]),
      new Error('x', { cause: error }),
    ]) {
      expect(protocolError(cause)).toBe('UNKNOWN_MEMBER_ID');
    }
    for (const cause of [refused, new Error('UNKNOWN_MEMBER_ID'), undefined, 'x']) {
      expect(protocolError(cause)).toBeUndefined();
    }
  });

  test('has the member id that the broker assigned', () => {
    const errors: Record<string, [number, string | null]> = { '/': [79, null] };
    const given = new ResponseError(11, 7, errors, { memberId: 'test-1' });
    expect(protocolError(given)).toBe('MEMBER_ID_REQUIRED');
    expect(memberIdIn(given)).toBe('test-1');
    expect(memberIdIn(refused)).toBeUndefined();
  });

  test('is returned as an answer where the caller wants the answer', async () => {
    const error = response('UNKNOWN_TOPIC_OR_PARTITION');
    expect(await answered(Promise.reject(error))).toEqual({ topics: ['UNKNOWN_TOPIC_OR_PARTITION'] });
    expect(await answered(Promise.resolve(7))).toBe(7);
    await expect(answered(Promise.reject(refused))).rejects.toBe(refused);
  });

  test('is described by its innermost reasons, each once', () => {
    expect(reasonsOf(new MultipleErrors('outer', [refused, refused]))).toBe(
      'connect ECONNREFUSED 127.0.0.1:9092',
    );
    expect(reasonsOf('text')).toBe('text');
  });
});
