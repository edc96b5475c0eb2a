import { describe, expect, test } from 'vitest';
import { type Bound, durationMs, readBound } from '../../src/replay/bound.ts';

const NOW = Date.UTC(2030, 0, 8, 12);
const READING = {
  nowMs: NOW,
  topics: [{ name: 'follow' }, { name: 'ad-click' }, { name: 'views', topic: 'web.views' }],
  prefix: 'twhin.',
};

function read(option: '--from' | '--until', text: string): { bound: Bound | undefined; problems: string[] } {
  const problems: string[] = [];
  return { bound: readBound(option, text, READING, problems), problems };
}

describe('a bound as typed', () => {
  test.each<[text: string, bound: Bound]>([
    ['earliest', { kind: 'earliest' }],
    ['2h', { kind: 'time', timeMs: Date.UTC(2030, 0, 8, 10) }],
    ['90s', { kind: 'time', timeMs: Date.UTC(2030, 0, 8, 11, 58, 30) }],
    ['30m', { kind: 'time', timeMs: Date.UTC(2030, 0, 8, 11, 30) }],
    ['1.5d', { kind: 'time', timeMs: Date.UTC(2030, 0, 7) }],
    ['1w', { kind: 'time', timeMs: Date.UTC(2030, 0, 1, 12) }],
    ['2030-01-02T03:04:05Z', { kind: 'time', timeMs: Date.UTC(2030, 0, 2, 3, 4, 5) }],
    ['2030-01-02T03:04+02:00', { kind: 'time', timeMs: Date.UTC(2030, 0, 2, 1, 4) }],
    ['1893553445000', { kind: 'time', timeMs: 1893553445000 }],
    ['views/2:12', { kind: 'offsets', offsets: { 'web.views': { 2: 12 } } }],
    ['web.views/0:7', { kind: 'offsets', offsets: { 'web.views': { 0: 7 } } }],
    ['follow/0:12', { kind: 'offsets', offsets: { 'twhin.follow': { 0: 12 } } }],
    [
      'twhin.follow/3:0, ad-click/0:7,follow/1:5',
      { kind: 'offsets', offsets: { 'twhin.follow': { 1: 5, 3: 0 }, 'twhin.ad-click': { 0: 7 } } },
    ],
  ])('%s', (text, bound) => {
    expect(read('--from', text)).toEqual({ bound, problems: [] });
  });

  test('the end of a range may be the latest, its start may not, and the other way round', () => {
    expect(read('--until', 'latest').bound).toEqual({ kind: 'latest' });
    expect(read('--from', 'latest').problems[0]).toMatch(/^--from: expected earliest, .*; seen "latest"$/);
    expect(read('--until', 'earliest').problems[0]).toMatch(
      /^--until: expected latest, .*; seen "earliest"$/,
    );
  });

  test.each([
    ['yesterday', /seen "yesterday"$/],
    ['2030-01-02', /seen "2030-01-02"$/],
    ['2030-02-30T00:00Z', /seen "2030-02-30T00:00Z"$/],
    ['-2h', /seen "-2h"$/],
    ['2y', /seen "2y"$/],
    ['1893553445', /^--from: 1893553445 looks like seconds; send milliseconds$/],
    ['5000w', /^--from: 5000w before now is before 1970; use earliest$/],
    ['', /seen ""$/],
  ])('%s is refused with what was seen', (text, message) => {
    const { bound, problems } = read('--from', text);
    expect(bound).toBeUndefined();
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(message);
  });

  test('every wrong offset is said', () => {
    const { bound, problems } = read(
      '--until',
      'follow/0:1,likes/0:1,follow/x:1,follow/0:2,ad-click/0:9007199254740993',
    );
    expect(bound).toBeUndefined();
    expect(problems).toEqual([
      '--until: the graph reads twhin.follow, twhin.ad-click, web.views; seen "likes"',
      '--until: expected TOPIC/PARTITION:OFFSET, seen "follow/x:1"',
      '--until: follow/0 is there twice, seen "follow/0:2"',
      '--until: expected TOPIC/PARTITION:OFFSET, seen "ad-click/0:9007199254740993"',
    ]);
  });
});

describe('a duration', () => {
  test.each(['', '30', 's', '-1s', '1 h', '1ms', '1y', '1h30m', '1.h'])('%j is no duration', (text) => {
    expect(durationMs(text)).toBeUndefined();
  });
});
