import { expect, test } from 'vitest';
import { bucketsBetween, parseMetrics, total } from './scrape.ts';

const TEXT = `# HELP twhin_rows Rows of the table in use.
# TYPE twhin_rows gauge
twhin_rows{graph="follow"} 10
twhin_rows{graph="engagement"} 25
twhin_rows_free{graph="follow"} 90
twhin_start_time_seconds 1.7e9
twhin_memory_bytes{part="heap"} 7
twhin_memory_bytes{part="heap_used"} 5
nodejs_version 24
`;

test('a scrape is read by name and labels', () => {
  const scrape = parseMetrics(TEXT);
  expect(Object.keys(scrape)).toHaveLength(6);
  expect(scrape['twhin_rows{graph="engagement"}']).toBe(25);
  expect(scrape['twhin_start_time_seconds']).toBe(1.7e9);
  expect(total(scrape, 'twhin_rows')).toBe(35);
  expect(total(scrape, 'twhin_memory_bytes', 'part="heap"')).toBe(7);
  expect(total(scrape, 'twhin_none')).toBe(0);
});

test('what histograms counted in between is of all graphs, in the order of the bounds', () => {
  const at = (a: number, b: number, c: number) => ({
    'twhin_x_bucket{le="10",graph="a"}': a,
    'twhin_x_bucket{le="+Inf",graph="a"}': b,
    'twhin_x_bucket{le="2.5",graph="a"}': 1,
    'twhin_x_bucket{le="10",graph="b"}': c,
    'twhin_x_bucket{le="+Inf",graph="b"}': c,
    'twhin_x_bucket{le="2.5",graph="b"}': 0,
    'twhin_x_sum{graph="a"}': 99,
  });
  expect(bucketsBetween(at(2, 3, 4), at(5, 9, 8), 'twhin_x')).toEqual([
    { upTo: 2.5, count: 0 },
    { upTo: 10, count: 3 + 4 },
    { upTo: Number.POSITIVE_INFINITY, count: 6 + 4 },
  ]);
});
