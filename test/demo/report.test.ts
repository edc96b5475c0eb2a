import { expect, test } from 'vitest';
import { type DemoOutcome, reportLines } from '../../demo/report.ts';
import type { Neighbour } from '../../demo/truth.ts';
import { MAX_COLUMNS } from '../../demo/view.ts';

function nearest(same: number, others: number): Neighbour[] {
  return Array.from({ length: same + others }, (_, n) => {
    return { user: String(2000 + n), cosine: 0.9 - n / 100, sameCommunity: n < same };
  });
}

const OUTCOME: DemoOutcome = {
  log: 'Apache Kafka at 127.0.0.1:9092',
  seed: 42,
  elapsedMs: 58_123,
  fed: 200_000,
  rejected: 1998,
  topicPrefix: 'twhin.',
  truth: {
    users: new Map([
      ['1000', 0],
      ['1001', 1],
    ]),
    second: new Map(),
    tweets: new Map([['5', 0]]),
    ads: new Map(),
    communities: ['jazz', 'chess'],
    erased: new Set(['1002']),
    counts: {
      actions: {
        like: 600,
        retweet: 50,
        reply: 40,
        quote: 30,
        mention: 20,
        follow: 500,
        unlike: 7,
        block: 2,
        search: 11,
      },
      bad: { 'not-json': 1200, seconds: 800 },
      duplicates: 15,
      late: 16,
      erasures: 1,
    },
  },
  graphs: [
    {
      graph: 'engagement',
      eventsPerS: 1,
      edges: 123_456,
      entities: 15_321,
      loss: 1,
      mrr: 0.4123,
      mrrPopularity: 0.2101,
      mrrChance: 0.0123,
      published: 98_765,
      outbox: 0,
      p50Ms: 120,
      p99Ms: 810,
    },
  ],
  findings: [
    {
      graph: 'engagement',
      findings: {
        users: 500,
        share: 0.63,
        chance: 0.025,
        ratio: 25.2,
        examples: [
          { user: '1000', community: 'jazz', second: 'chess', nearest: nearest(7, 3) },
          { user: '1001', community: 'chess', second: undefined, nearest: nearest(0, 10) },
        ],
      },
    },
  ],
  lists: [{ surface: 'home', share: 0.831, popularity: 0.05, chance: 0.034 }],
  page: 'http://127.0.0.1:8079',
  environment: ['KAFKA_BROKERS=127.0.0.1:9092', 'TWHIN_STATE=.twhin/demo/state'],
  kept: false,
};

const text = (outcome: DemoOutcome): string => reportLines(outcome).join('\n');

test('reports the events of the world, and the broken records as sent and as rejected', () => {
  const report = text(OUTCOME);
  expect(report).toContain('Done in 58 s on Apache Kafka at 127.0.0.1:9092 (seed 42).');
  // The erased user counts too; 600 + 50 + 40 + 30 + 20 engagements; 7 + 2 taken back; 1200 + 800 broken.
  expect(report).toContain('200,000 events of a made-up world: 3 users in 2 communities, 1 tweets');
  expect(report).toContain('500 follows, 740 engagements with tweets, 0 ad clicks, 11 searches');
  expect(report).toContain(
    '9 follows and engagements taken back, 15 delivered twice, 16 late, 1 users erased',
  );
  expect(report).toContain('2,000 broken records, on purpose: 1,998 are in twhin.dead-letter');
});

test('reports topic, latency and quality of each graph', () => {
  const report = text({ ...OUTCOME, topicPrefix: 'mine.' });
  expect(report).toContain('engagement: 123,456 live edges between 15,321 entities');
  expect(report).toContain('98,765 vectors published to mine.embeddings.engagement');
  expect(report).toContain('120 ms (median), 810 ms (99 %)');
  expect(report).toContain('MRR .412 (by popularity .210, by chance .012)');
});

test('reports how well the communities were found, with examples', () => {
  const lines = reportLines(OUTCOME);
  expect(lines.join('\n')).toContain(
    "63 % share the user's community, 2.5 % would by chance: 25.2 times chance",
  );
  const examples = lines.filter((line) => /of 10$/.test(line));
  expect(examples.length).toBe(2);
  expect(examples[0]).toMatch(/^ {2}1000 \(jazz, chess\) +\+2000 \.900 \+2001 \.890 .* 7 of 10$/);
  expect(examples[1]).toMatch(/^ {2}1001 \(chess\) +-2000 \.900 -2001 \.890 .* 0 of 10$/);
});

test('reports what is in the lists, where any were served', () => {
  const report = text(OUTCOME);
  expect(report).toContain(
    "of the user's communities\n  home: 83 %; of what is popular 5.0 %, by chance 3.4 %.",
  );
  expect(text({ ...OUTCOME, lists: [] })).not.toContain('twhin serve');
  expect(report).not.toContain('8079');
  expect(text({ ...OUTCOME, kept: true })).toContain('http://127.0.0.1:8079/#1000');
});

test('names the next commands of this run', () => {
  const report = text(OUTCOME);
  expect(report).toContain('export TWHIN_STATE=.twhin/demo/state');
  expect(report).not.toContain('export KAFKA_BROKERS');
  expect(report).not.toContain('doctor');
  expect(report).toContain('npx twhin show user:1000 --graph engagement');
  expect(report).toContain('npm run demo -- --keep');
  const kept = text({ ...OUTCOME, kept: true });
  expect(kept).not.toContain('--keep');
  expect(kept).toContain('export KAFKA_BROKERS=127.0.0.1:9092');
  expect(kept).toContain('npx twhin doctor');
});

test('an interrupted run reports the figures so far', () => {
  const report = text({ ...OUTCOME, graphs: [], findings: [], environment: [] });
  expect(report).not.toContain('times chance');
  expect(report).not.toContain('export');
  expect(report).toContain('npx twhin stats');
});

test('no line is longer than a hundred columns', () => {
  const long = { ...OUTCOME, log: 'x'.repeat(200), topicPrefix: 'p'.repeat(100) };
  for (const line of [...reportLines(OUTCOME), ...reportLines(long)]) {
    expect(line.length).toBeLessThanOrEqual(MAX_COLUMNS);
  }
});
