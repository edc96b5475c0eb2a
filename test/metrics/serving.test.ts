import { describe, expect, it } from 'vitest';
import { ServingMetrics } from '../../src/metrics/serving.ts';
import { SERVED } from './metrics-fixture.ts';

let metrics: ServingMetrics;

const linesOf = async (name: string) =>
  (await metrics.render()).split('\n').filter((line) => line.startsWith(name) && !line.includes('_bucket'));

describe('ServingMetrics', () => {
  it('tell the state of each graph as it is when asked', async () => {
    let snapshots = [SERVED, { ...SERVED, graph: 'h', caughtUp: false, vectors: {} }];
    metrics = new ServingMetrics('1.2.3', () => snapshots);
    expect(await linesOf('twhin_serve_')).toEqual([
      ...['twhin_serve_caught_up{graph="g"} 1', 'twhin_serve_caught_up{graph="h"} 0'],
      ...['twhin_serve_stale_seconds{graph="g"} 0', 'twhin_serve_stale_seconds{graph="h"} 0'],
      ...['twhin_serve_lag_records{graph="g"} 3', 'twhin_serve_lag_records{graph="h"} 3'],
      ...['twhin_serve_table_bytes{graph="g"} 4096', 'twhin_serve_table_bytes{graph="h"} 4096'],
      ...['twhin_serve_spaces{graph="g"} 1', 'twhin_serve_spaces{graph="h"} 1'],
      ...['twhin_serve_edges{graph="g"} 11', 'twhin_serve_edges{graph="h"} 11'],
      ...['twhin_serve_vectors{graph="g",type="user"} 5', 'twhin_serve_vectors{graph="g",type="tweet"} 7'],
      ...['twhin_serve_skipped_records_total{graph="g"} 2', 'twhin_serve_skipped_records_total{graph="h"} 2'],
      ...['twhin_serve_refused_records_total{graph="g"} 1', 'twhin_serve_refused_records_total{graph="h"} 1'],
      ...['twhin_serve_rejected_events_total{graph="g"} 5', 'twhin_serve_rejected_events_total{graph="h"} 5'],
      ...['twhin_serve_forgotten_edges_total{graph="g"} 4', 'twhin_serve_forgotten_edges_total{graph="h"} 4'],
    ]);
    // A counter is told, not counted: asked again, it is the same. A type without a vector is gone.
    snapshots = [{ ...SERVED, skipped: 3, vectors: { tweet: 6 } }];
    await metrics.render();
    expect(await linesOf('twhin_serve_skipped')).toContain('twhin_serve_skipped_records_total{graph="g"} 3');
    expect(await linesOf('twhin_serve_vectors')).toEqual(['twhin_serve_vectors{graph="g",type="tweet"} 6']);
  });

  it('count requests and how long vectors took to be visible, in seconds', async () => {
    metrics = new ServingMetrics('1.2.3', () => []);
    metrics.answered('/v1/rank', 200, 20);
    metrics.answered('/v1/rank', 200, 40);
    metrics.answered('unknown', 404, 1);
    metrics.visible('g', 500);
    // The clock of the broker was ahead.
    metrics.visible('g', -250);
    expect(await linesOf('twhin_serve_request_seconds')).toEqual([
      ...['twhin_serve_request_seconds_sum{path="/v1/rank",code="200"} 0.06'],
      ...['twhin_serve_request_seconds_count{path="/v1/rank",code="200"} 2'],
      ...['twhin_serve_request_seconds_sum{path="unknown",code="404"} 0.001'],
      ...['twhin_serve_request_seconds_count{path="unknown",code="404"} 1'],
    ]);
    expect(await linesOf('twhin_serve_visible_seconds')).toEqual([
      ...['twhin_serve_visible_seconds_sum{graph="g"} 0.5', 'twhin_serve_visible_seconds_count{graph="g"} 2'],
    ]);
    expect(metrics.contentType).toMatch(/^text\/plain/);
  });
});
