import { expect, onTestFinished, test } from 'vitest';
import { MergingMetrics } from '../../src/metrics/merging.ts';

test('shards that answer, questions that they left unanswered, and partial answers are told', async () => {
  const shards = [
    { url: 'http://a', up: true, since: 1_000 },
    { url: 'http://b', up: false, since: 3_000, reason: 'no answer' },
  ];
  const metrics = new MergingMetrics(
    '1',
    () => shards,
    () => 4_500,
  );
  onTestFinished(() => metrics.stop());
  metrics.missed('http://b', 'late');
  metrics.missed('http://b', 'late');
  metrics.partial();
  metrics.answered('/v1/similar', 200, 20);
  const text = await metrics.render();
  for (const line of [
    'twhin_serve_shard_up{shard="http://a"} 1',
    'twhin_serve_shard_up{shard="http://b"} 0',
    'twhin_serve_shard_away_seconds{shard="http://a"} 0',
    'twhin_serve_shard_away_seconds{shard="http://b"} 1.5',
    'twhin_serve_shard_missed_total{shard="http://b",reason="late"} 2',
    'twhin_serve_partial_total 1',
    'twhin_serve_request_seconds_sum{path="/v1/similar",code="200"} 0.02',
  ])
    expect(text).toContain(`${line}\n`);
});
