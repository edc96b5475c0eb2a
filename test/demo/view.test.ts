import { expect, test } from 'vitest';
import {
  type DemoProgress,
  type GraphProgress,
  LiveView,
  MAX_COLUMNS,
  progressLine,
  progressLines,
} from '../../demo/view.ts';

const ENGAGEMENT: GraphProgress = {
  graph: 'engagement',
  eventsPerS: 12_345,
  edges: 234_567,
  entities: 15_321,
  loss: 2.3456,
  mrr: 0.4123,
  mrrPopularity: 0.2101,
  mrrChance: 0.0123,
  published: 98_765,
  outbox: 432,
  p50Ms: 123,
  p99Ms: 4512,
};
const FOLLOW: GraphProgress = {
  graph: 'follow',
  eventsPerS: undefined,
  edges: 0,
  entities: 0,
  loss: undefined,
  mrr: undefined,
  mrrPopularity: undefined,
  mrrChance: undefined,
  published: 0,
  outbox: 0,
  p50Ms: undefined,
  p99Ms: undefined,
};

function progressAt(elapsedMs: number, change: Partial<DemoProgress> = {}): DemoProgress {
  const graphs = [ENGAGEMENT, FOLLOW];
  return { phase: 'feeding', elapsedMs, fed: 50_000, total: 200_000, fedPerS: 4123, graphs, ...change };
}

class FakeScreen {
  readonly written: string[] = [];
  readonly isTTY: boolean;
  readonly columns: number;

  constructor(isTTY: boolean, columns = 120) {
    this.isTTY = isTTY;
    this.columns = columns;
  }

  write(text: string): void {
    this.written.push(text);
  }
}

test('the table shows every figure of a graph under its heading', () => {
  const [bar, heading, engagement, follow] = progressLines(progressAt(65_432));
  expect(bar).toMatch(/^01:05 {2}feeding .*50,000 of 200,000 events sent, 4,123\/s$/);
  // A quarter of the bar's 24 columns.
  expect(bar?.match(/█/g)?.length).toBe(6);
  expect(bar?.match(/░/g)?.length).toBe(18);
  expect(heading?.split(/\s+/).slice(0, 10)).toEqual(
    'graph events/s edges entities loss MRR popular chance published outbox'.split(' '),
  );
  expect(engagement?.split(/\s+/)).toEqual(
    'engagement 12,345 234,567 15,321 2.346 .412 .210 .012 98,765 432 123 ms / 4.5 s'.split(' '),
  );
  expect(follow?.split(/\s+/)).toEqual('follow – 0 0 – – – – 0 0 – / –'.split(' '));
  // The columns are right-aligned.
  expect(engagement?.indexOf('12,345')).toBe((heading?.indexOf('events/s') ?? 0) + 'events/s'.length - 6);
  expect(engagement?.indexOf('432')).toBe((heading?.indexOf('outbox') ?? 0) + 'outbox'.length - 3);
});

test('no line is longer than a hundred columns, however large the figures', () => {
  const big = {
    ...ENGAGEMENT,
    graph: 'a-graph-with-a-long-name',
    edges: 1e12,
    entities: 1e12,
    published: 1e12,
  };
  const progress = progressAt(65_432, { fed: 1e12, total: 1e12, graphs: [big, big, big] });
  for (const line of [...progressLines(progress), progressLine(progress)]) {
    expect(line.length).toBeLessThanOrEqual(MAX_COLUMNS);
  }
});

test('one line has the phase, the share and each graph', () => {
  expect(progressLine(progressAt(65_432))).toBe(
    '01:05 feeding 25%  engagement 12,345/s MRR .412 .210 .012  follow –/s MRR – – –',
  );
});

test('one line holds both graphs whole in the longest phase', () => {
  const graphs = [ENGAGEMENT, { ...ENGAGEMENT, graph: 'follow' }];
  expect(progressLine(progressAt(125_432, { phase: 'catching up', fed: 200_000, graphs }))).toBe(
    '02:05 catching up 100%  engagement 12,345/s MRR .412 .210 .012  follow 12,345/s MRR .412 .210 .012',
  );
});

test('without events there is no division by zero', () => {
  expect(progressLine(progressAt(0, { fed: 0, total: 0, graphs: [] }))).toBe('00:00 feeding 0%');
  expect(progressLines(progressAt(0, { fed: 0, total: 0, graphs: [] }))[0]).toContain('░'.repeat(24));
});

test('on a terminal the table is drawn in place', () => {
  const screen = new FakeScreen(true);
  const view = new LiveView(screen);
  view.show(progressAt(0));
  view.show(progressAt(250));
  expect(screen.written[0]?.startsWith('\u001b[2K00:00')).toBe(true);
  expect(screen.written[1]?.startsWith('\u001b[4A\u001b[2K00:00')).toBe(true);
  expect(screen.written[1]?.match(/\n/g)?.length).toBe(4);
});

test('a narrow terminal gets shorter lines, so that no line wraps', () => {
  const screen = new FakeScreen(true, 40);
  new LiveView(screen).show(progressAt(0));
  const shown = (screen.written[0] ?? '').replaceAll('\u001b[2K', '').replaceAll('\u001b[J', '');
  for (const line of shown.split('\n')) expect(line.length).toBeLessThanOrEqual(40);
});

test('a permanent line is printed above the table', () => {
  const screen = new FakeScreen(true);
  const view = new LiveView(screen);
  view.show(progressAt(0));
  view.say('broker started');
  view.show(progressAt(250));
  expect(screen.written[1]).toBe('\u001b[4A\u001b[Jbroker started\n');
  expect(screen.written[2]?.startsWith('\u001b[2K')).toBe(true);
});

test('without a terminal there is a line every five seconds and at each new phase', () => {
  const screen = new FakeScreen(false);
  const view = new LiveView(screen);
  view.show(progressAt(0));
  view.show(progressAt(4999));
  view.show(progressAt(5000));
  view.show(progressAt(5100, { phase: 'catching up' }));
  view.show(progressAt(5200, { phase: 'catching up' }));
  expect(screen.written.map((text) => text.slice(0, 14))).toEqual([
    '00:00 feeding ',
    '00:05 feeding ',
    '00:05 catching',
  ]);
  expect(screen.written.join('')).not.toContain('\u001b');
});
