import { expect, test } from 'vitest';
import { type Sample, slopePerHour, verdictOf } from './bounds.ts';

const HOUR = { minutes: 60, rate: 100 };
const FLAT = {
  rssMiB: 500,
  files: 80,
  threads: 20,
  p99Ms: 700,
  lag: 10,
  entities: 5,
  edges: 100,
  storeMiB: 9,
};
/** A sample each minute of an hour; `more` of the minute over the flat figures. */
const hour = (more: (minute: number) => Partial<Sample> = () => ({})): Sample[] =>
  Array.from({ length: 60 }, (_, minute) => ({ atS: minute * 60, ...FLAT, ...more(minute) }));
const broken = (samples: readonly Sample[]) =>
  verdictOf(samples, HOUR).flatMap(({ what, holds }) => (holds ? [] : [what.split(',')[0]]));

test('a flat hour keeps every bound, whatever happens while it warms up', () => {
  expect(broken(hour())).toEqual([]);
  expect(broken(hour((minute) => (minute < 14 ? { rssMiB: 2_000, lag: 1e6 } : {})))).toEqual([]);
});

test.each<[string, Partial<Sample>]>([
  ['rssMiB', { rssMiB: 530 }],
  ['files', { files: 83 }],
  ['threads', { threads: 21 }],
  ['p99Ms', { p99Ms: 1_100 }],
  ['lag', { lag: 301 }],
  ['entities', { entities: 6 }],
  ['edges', { edges: 102 }],
])('%s that grew breaks its bound', (what, grown) => {
  expect(broken(hour((minute) => (minute > 40 ? grown : {})))).toContain(what);
});

test('memory that leaks slowly breaks the bound of its slope', () => {
  expect(broken(hour((minute) => ({ rssMiB: 500 + minute / 2 })))).toContain('rssMiB');
});

test('an hour of which nothing was seen keeps no bound of what it takes', () => {
  expect(broken([])).toEqual(expect.arrayContaining(['rssMiB', 'files', 'threads', 'p99Ms', 'entities']));
});

test('the slope is the median of all pairs', () => {
  // Pairs: 60, 60 and 60 MiB an hour, but for those with the wild point.
  const points = [0, 1, 2, 3, 4].map((minute) => ({ atS: minute * 60, rssMiB: minute === 2 ? 900 : minute }));
  expect(slopePerHour(points)).toBe(60);
});
