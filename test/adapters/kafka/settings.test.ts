import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AuthenticationError } from '@platformatic/kafka';
import { expect, test } from 'vitest';
import { saslOf, tlsOf, userOf } from '../../../src/adapters/kafka/settings.ts';
import { freshFolder } from '../../fresh-folder.ts';

const settings = { brokers: ['one:9092'], clientId: 'test' };

/** The login options of a bearer token. */
function bearer(token: string | { readonly file: string }) {
  const { token: current, authBytesValidator } = saslOf({ mechanism: 'oauthbearer', token });
  if (current === undefined || authBytesValidator === undefined) throw new Error('no options of a token');
  return { token: current, authBytesValidator };
}

test('a token in a file is read again for each login, without the line end', async () => {
  const file = join(await freshFolder(), 'token');
  const { token } = bearer({ file });
  expect(token).toThrow(
    expect.objectContaining({ name: 'UsageError', message: expect.stringContaining(file) }),
  );
  await writeFile(file, 'first\n');
  expect(token()).toBe('first');
  await writeFile(file, 'second\n');
  expect(token()).toBe('second');
  expect(bearer('given').token()).toBe('given');
});

test('an answer to a token that holds a reason is a refusal, and an empty answer is none', () => {
  const answers: unknown[] = [];
  const { authBytesValidator } = bearer('given');
  authBytesValidator(Buffer.alloc(0), (error) => answers.push(error));
  authBytesValidator(Buffer.from('{"status":"invalid_token"}'), (error) => answers.push(error));
  expect(answers).toEqual([null, expect.any(AuthenticationError)]);
  expect(String(answers[1])).toContain('invalid_token');
});

test('a user is named where the login has one', () => {
  const login = { username: 'twhin', password: 'secret' };
  expect(userOf({ ...settings, sasl: { mechanism: 'plain', ...login } })).toBe('twhin');
  expect(userOf({ ...settings, sasl: { mechanism: 'oauthbearer', token: 'x' } })).toBeUndefined();
  expect(userOf(settings)).toBeUndefined();
  expect(saslOf({ mechanism: 'scram-sha-512', ...login })).toEqual({ mechanism: 'SCRAM-SHA-512', ...login });
});

test('a certificate file that is missing is named', () => {
  expect(tlsOf(settings)).toBeUndefined();
  expect(tlsOf({ ...settings, ssl: true })).toEqual({});
  const caFile = '/nowhere/ca.pem';
  expect(() => tlsOf({ ...settings, caFile })).toThrow(expect.objectContaining({ name: 'UsageError' }));
});
