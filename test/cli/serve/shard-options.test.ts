import { describe, expect, test } from 'vitest';
import { deadlineOption, shardsOption } from '../../../src/cli/serve/shard-options.ts';

describe('--shards', () => {
  test('takes the addresses of processes', () => {
    expect(shardsOption('http://a:8079, http://10.0.0.2:80/,http://[::1]:9000')).toEqual([
      ...['http://a:8079', 'http://10.0.0.2', 'http://[::1]:9000'],
    ]);
  });

  test.each([
    ...[
      '',
      'a:8079',
      'http://',
      'https://a:8079',
      'http://a:8079/v1',
      'http://a:99999',
      'http://a,',
      'ftp://a',
    ],
    ...['http://a?x=1', 'http://me@a', 'http://a:8079#x'],
  ])('refuses %j, saying what is expected and what was seen', (text) => {
    expect(() => shardsOption(text)).toThrow(/expected http:\/\/host:port of each process.*seen "/);
  });

  test('refuses an address that is given twice', () => {
    expect(() => shardsOption('http://a:80,http://b,http://a/')).toThrow('http://a is given twice');
  });
});

describe('--deadline', () => {
  test.each([
    ['100ms', 100],
    ['1ms', 1],
    ['0.5s', 500],
    ['10s', 10_000],
  ])('%s', (text, ms) => {
    expect(deadlineOption(text)).toBe(ms);
  });

  test.each(['', '100', '0ms', '-1s', '11s', '1.5ms', '1m', '1e2ms'])('refuses %j', (text) => {
    expect(() => deadlineOption(text)).toThrow(
      `expected a time from 1ms to 10s, seen ${JSON.stringify(text)}`,
    );
  });
});
