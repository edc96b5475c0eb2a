import { afterEach, expect, test } from 'vitest';
import { readinessReport, routersStatus } from '../../../../src/adapters/http/status.ts';
import type { WatchedStage } from '../../../../src/cli/run/watch/router-status.ts';
import { RoutingWatch } from '../../../../src/cli/run/watch/routing.ts';
import { BadEvent } from '../../../../src/errors/errors.ts';
import { silentLog } from '../../../../src/log.ts';
import { Rejections } from '../../../../src/pipeline/rejections.ts';
import { keptLog } from '../../../pipeline/faulty-sink.ts';

let watch: RoutingWatch | undefined;
afterEach(async () => watch?.stop());

/** The watch of a process that routes for one graph, and its URL. */
async function begin() {
  const log = keptLog();
  watch = await RoutingWatch.begin({ address: { host: '127.0.0.1', port: 0 }, names: ['g'], log });
  const url = String(log.lines.map(({ fields }) => Object.assign({ url: '' }, fields).url).find(Boolean));
  return { watch, url };
}

const rejections = new Rejections({
  graph: 'g',
  topics: ['twhin.engagement', 'twhin.search'],
  log: silentLog,
  clock: () => 0,
});
const record = { topic: 'twhin.engagement', partition: 0, offset: 1, timestamp: 0, key: null, value: null };
for (let n = 0; n < 2; n++) rejections.take(record, new BadEvent('not-json', 'the value is not JSON'));

const stage: WatchedStage = {
  graph: 'g',
  counts: { records: 9, sent: 12, bytes: 300 },
  rejections,
  partitions: 3,
  retries: 1,
  lag: () => [{ topic: 'twhin.engagement', partition: 4, records: 7, seconds: undefined }],
  unready: () => [],
};

async function ready(url: string) {
  const answer = await fetch(`${url}/readyz`);
  return { code: answer.status, report: readinessReport.parse(await answer.json()) };
}

test('a process that routes lives from the start, and is ready once every graph is routed', async () => {
  const { watch, url } = await begin();
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  const opening = { graph: 'g', ready: false, phase: 'opening', reasons: ['it is opening'] };
  expect(await ready(url)).toEqual({ code: 503, report: { ready: false, graphs: [opening] } });
  watch.over([{ ...stage, partitions: undefined, unready: () => ['it is joining the group'] }]);
  const joining = { graph: 'g', ready: false, phase: 'joining', reasons: ['it is joining the group'] };
  expect(await ready(url)).toEqual({ code: 503, report: { ready: false, graphs: [joining] } });
  watch.over([stage]);
  const routing = { graph: 'g', ready: true, phase: 'routing', reasons: [] };
  expect(await ready(url)).toEqual({ code: 200, report: { ready: true, graphs: [routing] } });
});

test('its status and metrics say what it routed and what waits', async () => {
  const { watch, url } = await begin();
  watch.over([stage]);
  const { routers } = routersStatus.parse(await (await fetch(`${url}/api/status`)).json());
  expect(routers).toEqual([
    {
      graph: 'g',
      ready: true,
      phase: 'routing',
      reasons: [],
      partitions: 3,
      events: 9,
      rejectedBy: { 'twhin.engagement': { 'not-json': 2 }, 'twhin.search': {} },
      sent: 12,
      sentBytes: 300,
      retries: 1,
      lag: [{ topic: 'twhin.engagement', partition: 4, records: 7 }],
    },
  ]);
  const text = await (await fetch(`${url}/metrics`)).text();
  expect(text).toContain('twhin_router_lag_records{graph="g",topic="twhin.engagement",partition="4"} 7');
  expect(text).toContain(
    'twhin_router_rejected_total{graph="g",topic="twhin.engagement",reason="empty-id"} 0',
  );
  const unknown = await fetch(`${url}/`);
  expect([unknown.status, await unknown.text()]).toEqual([404, expect.stringContaining('/readyz')]);
});
