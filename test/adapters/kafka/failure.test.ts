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

describe('the error of a failure', () => {
  test.each([
    ['a refused connection', refused],
    ['several refused connections', new MultipleErrors('Cannot connect to any broker.', [refused, refused])],
    ['no answer in time', new TimeoutError('Request timed out')],
  ])('%s means that no broker answers; the error has the address and what to check', (_, cause) => {
    const error = failure(cause);
    expect(error).toBeInstanceOf(RetryableError);
    expect(error).toMatchObject({ code: 'broker-unreachable', cause });
    expect(error.message).toContain('reading failed: no answer from one:9092,two:9092');
    expect(error.message).toContain('KAFKA_BROKERS');
  });

  test('a refused login is fatal and reported as a refused login, however it is wrapped', () => {
    const login = new AuthenticationError('SASL authentication failed.', {
      cause: new ProtocolError('SASL_AUTHENTICATION_FAILED'),
    });
    for (const cause of [
      login,
      new MultipleErrors('Cannot connect to any broker.', [new NetworkError('x', { cause: login })]),
    ]) {
      const error = failure(cause);
      expect(error).toBeInstanceOf(FatalError);
      expect(error).toMatchObject({ code: 'broker-refused' });
      expect(error.message).toMatch(/one:9092,two:9092 refused the login: .*SASL_AUTHENTICATION_FAILED/);
      expect(error.message).toContain('password');
    }
  });

  test('a configuration that the client refuses is fatal, with the keys to look at', () => {
    const error = failure(new UserError('No acceptable SASL mechanism'));
    expect(error).toBeInstanceOf(FatalError);
    expect(error).toMatchObject({ code: 'broker-refused' });
    expect(error.message).toContain('KAFKA_SASL_MECHANISM');
  });

  test.each([
    ['TypeError', new TypeError('Cannot read properties of undefined')],
    ['RangeError', new RangeError('Maximum call stack size exceeded')],
    ['any other error', new Error('assertion failed')],
    ['a thrown text', 'thrown text'],
    [
      'a fault of the client inside a failure of several brokers',
      new MultipleErrors('2 failed', [refused, new TypeError('x')]),
    ],
    [
      'a fault of the client that is wrapped',
      new NetworkError('Connection closed', { cause: new RangeError('y') }),
    ],
  ])("%s is this client's own failure, never a broker's", (_, cause) => {
    const error = failure(cause);
    expect(error).toBeInstanceOf(FatalError);
    expect(error).toMatchObject({ code: 'client-fault' });
    expect(error.message).not.toContain('no answer');
    expect(error.message).toContain('in this process');
  });

  test.each([
    ['TOPIC_AUTHORIZATION_FAILED', 'READ and DESCRIBE on the topics'],
    ['GROUP_AUTHORIZATION_FAILED', 'READ and DESCRIBE on the group'],
    ['CLUSTER_AUTHORIZATION_FAILED', 'the cluster right'],
  ])('%s is fatal, with the right to grant', (id, right) => {
    for (const cause of [new ProtocolError(id), response(id)]) {
      const error = failure(cause);
      expect(error).toBeInstanceOf(FatalError);
      expect(error).toMatchObject({ code: 'not-authorized' });
      expect(error.message).toContain(`reading is denied at one:9092,two:9092`);
      expect(error.message).toContain(id);
      expect(error.message).toContain(right);
    }
  });

  test('any other refusal is reported as an answer of the broker, with its name', () => {
    const error = failure(response('COORDINATOR_LOAD_IN_PROGRESS'));
    expect(error).toBeInstanceOf(RetryableError);
    expect(error).toMatchObject({ code: 'broker-answered' });
    expect(error.message).toContain('COORDINATOR_LOAD_IN_PROGRESS');
    expect(error.message).not.toContain('no answer');
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
