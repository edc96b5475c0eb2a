import { describe, expect, test } from 'vitest';
import { flatRun } from './flat.ts';
import { steadyReport } from './report.ts';
import type { Run } from './samples.ts';
import { verdictOf } from './verdict.ts';
import { windowsOf } from './windows.ts';

const MIB = 1024 * 1024;
const broken = (run: Run) =>
  verdictOf(run)
    .filter(({ holds }) => !holds)
    .map(({ what }) => what.split(',')[0]);
const end = flatRun().end;
const LATE = { latencyMs: { follow: { p50: 9_000, p99: 20_000 } } };

describe('a verdict', () => {
  test('finds nothing where nothing grows, whatever happens while it warms up', () => {
    expect(broken(flatRun())).toEqual([]);
    const warming = flatRun({
      process: (atS) => (atS < 900 ? { rssMiB: 300 + atS / 9, files: 20, threads: 4, connections: 0 } : {}),
    });
    expect(broken(warming)).toEqual([]);
    // Late while others have the cores, as before where they have not.
    const disturbed = flatRun({
      process: (atS) =>
        atS < 2_700 ? {} : { waitedS: 270 + Math.min(atS - 2_700, 500) * 0.9, ...(atS < 3_260 ? LATE : {}) },
    });
    expect(broken(disturbed)).toEqual([]);
    // A page that showed more for a while, and one whose replaced nodes were not collected yet at one look in ten.
    const shows = flatRun({ page: (atS) => (atS > 2_000 ? { nodes: 1_400, shown: 1_360 } : {}) });
    expect(broken(shows)).toEqual([]);
    const replaced = flatRun({ page: (atS) => (atS % 600 === 0 ? { nodes: 1_860 } : {}) });
    expect(broken(replaced)).toEqual([]);
  });

  test.each<[string, Run, string[]]>([
    [
      'memory that leaks 60 MiB an hour',
      flatRun({ process: (atS, { rssMiB }) => ({ rssMiB: rssMiB + atS / 60 }) }),
      ['resident memory'],
    ],
    [
      'a heap whose floor rises by 15 MiB an hour beneath much that is collected',
      flatRun({
        metrics: (atS, { 'twhin_memory_bytes{part="heap_used"}': used = 0 }) => ({
          'twhin_memory_bytes{part="heap_used"}': used + (atS / 240) * MIB,
        }),
      }),
      ['heap after collections'],
    ],
    [
      'a heap that holds 12 MiB more an hour, of which samples of it say nothing',
      flatRun({ process: (atS) => ({ heldMiB: 30 + atS / 300 }) }),
      ['heap after collections'],
    ],
    [
      'a file every ten minutes',
      flatRun({ process: (atS, { files }) => ({ files: files + Math.floor(atS / 600) }) }),
      ['open files'],
    ],
    [
      'a thread every 15 minutes',
      flatRun({ process: (atS) => ({ threads: 18 + Math.floor(atS / 900) }) }),
      ['threads'],
    ],
    [
      'connections that stay',
      flatRun({ process: (atS) => ({ connections: 9 + Math.floor(atS / 180) }) }),
      ['open connections to its port'],
    ],
    [
      'latency that drifts',
      flatRun({ process: (atS) => ({ latencyMs: { follow: { p50: 300, p99: 700 + atS / 3 } } }) }),
      ['latency'],
    ],
    [
      'a backlog that grows',
      flatRun({
        metrics: (atS) => ({ 'twhin_lag_records{graph="follow",topic="follow",partition="0"}': atS }),
      }),
      ['records that wait in the topics'],
    ],
    [
      'a world that grows',
      flatRun({ metrics: (atS) => ({ 'twhin_rows{graph="follow"}': 10_000 + atS }) }),
      ['entities'],
    ],
    [
      'a page that holds on to nodes',
      flatRun({ page: (atS, { tab, nodes }) => ({ nodes: tab === 'stays' ? nodes + atS / 3 : nodes }) }),
      ['nodes that the page that stayed open holds and does not show'],
    ],
    [
      'a page that holds more than it does loaded anew',
      flatRun({
        page: (atS, { tab, heapMiB }) => ({ heapMiB: tab === 'stays' ? heapMiB + atS / 3_000 : heapMiB }),
      }),
      ['heap of the page that stayed open'],
    ],
    [
      'that latency can not be told where others had the cores nearly all the time',
      flatRun({ process: (atS) => ({ waitedS: Math.max(0, Math.min(atS, 3_450) - 1_900) * 0.5 }) }),
      ['latency'],
    ],
    [
      'an error in the page',
      flatRun({ rest: { problems: [{ kind: 'problem', atS: 2_000, tab: 'stays', text: 'oh' }] } }),
      ['errors and warnings of the pages'],
    ],
    ['a run that was cut off', flatRun({ rest: { end: undefined } }), ['the updater ended', 'stores']],
    [
      'an event that is lost',
      flatRun({
        rest: { end: end && { ...end, verified: { problem: 'not right:\n  record 7 | is not there' } } },
      }),
      ['stores'],
    ],
  ])('finds %s', (_, run, what) => {
    expect([...new Set(broken(run))]).toEqual(what);
    const { text, right } = steadyReport(run);
    expect(right).toBe(false);
    expect(text.split('\n')[0]).toContain('BROKEN');
    // Whatever a row quotes, it stays a row.
    expect(text.split('\n').filter((line) => line.includes('**BROKEN**')).length).toBe(
      verdictOf(run).filter(({ holds }) => !holds).length,
    );
  });

  test('holds nothing of a run without samples', () => {
    const checks = verdictOf(flatRun({ rest: { process: [], pages: [], end: undefined } }));
    expect(checks.filter(({ holds }) => holds)).toEqual([]);
  });
});

test('windows share their edges, so that every second counts once', () => {
  const consumed = 'twhin_events_consumed_total{graph="follow"}';
  const { process } = flatRun({
    // A burst between the last sample of a window and the first of the next.
    metrics: (atS, { [consumed]: flat = 0 }) => ({ [consumed]: flat + (atS < 600 ? 0 : 6_000) }),
  });
  const windows = windowsOf(process, 600);
  expect(windows.map(({ eventsPerS }) => Math.round(eventsPerS))).toEqual([300, 310, 300, 300, 300, 300]);
  for (const { cores } of windows) expect(cores).toBeCloseTo(0.2);
  expect(windows[1]?.samples.at(0)?.atS).toBe(600);
});

test('a report says what was run, in parts, and what holds', () => {
  const { text, right } = steadyReport(flatRun());
  expect(right).toBe(true);
  expect(text).toContain('all bounds held');
  expect(text).toContain('| 50–60 | 802 | 50.0 | 20 | 72 | 18 | 9 | 0 |');
  expect(text).toContain('0.67 s');
  expect(text).toContain('| 60 | 3.0 and 3.0 |');
});
