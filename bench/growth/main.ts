/**
 * One updater while its graph grows, from nothing to millions of entities: `npm run bench:growth`. Starts a broker, tells it
 * engagements as fast as the updater takes them, or at a pace, and reads the updater's metrics every ten seconds.
 * --events, --entities: at the end; --rate: events a second, where it is to be a pace; --ahead: told and not yet taken, at the
 * most, never so few that the updater waits; --set: over the configuration, may be repeated; --svg FILE: the picture. The report
 * goes to stdout, as Markdown; interrupted, it is of what there was until then.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startBroker } from '../../broker/start.ts';
import { connect } from '../../src/adapters/connect.ts';
import { withSettings } from '../../src/config/overrides.ts';
import { Twhin } from '../../test/e2e/twhin.ts';
import { parseMetrics, total } from '../../test/faults/soak/scrape.ts';
import { pictureOf, report } from './report.ts';
import { type Sample, sampleOf } from './samples.ts';
import { GrowingWorld } from './world.ts';

const GRAPH = 'growing';
const EVERY_MS = 10_000;
const LOOK_MS = 500;
const SEND = 2_000;
/** Of each partition. The disk is to hold the store, and not all that was ever published. */
const KEPT = { 'cleanup.policy': 'delete', 'retention.bytes': `${2 ** 28}`, 'segment.bytes': `${2 ** 26}` };

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '20000000' },
    entities: { type: 'string', default: '2000000' },
    rate: { type: 'string' },
    ahead: { type: 'string', default: '60000' },
    set: { type: 'string', multiple: true, default: [] },
    svg: { type: 'string' },
  },
});
const [events, entities] = [Number(values.events), Number(values.entities)];
const ahead = Number(values.ahead);
const rate = values.rate === undefined ? Number.POSITIVE_INFINITY : Number(values.rate);

let interrupted = false;
process.once('SIGINT', () => {
  interrupted = true;
});
const say = (line: string) => process.stderr.write(`${line}\n`);
const work = await mkdtemp(join(tmpdir(), 'twhin-growth-'));
const broker = await startBroker({ dir: join(work, 'broker'), onProgress: say });
const log = await connect({ brokers: [broker.brokers], clientId: 'growth' });
const twhin = await Twhin.create(broker.brokers, '');
try {
  const samples = await grow();
  if (values.svg !== undefined) await writeFile(values.svg, pictureOf(samples));
  console.log(report({ samples, events, rate }));
} finally {
  await log.close();
  await twhin.remove();
  await broker.stop();
  await rm(work, { recursive: true, force: true });
}

async function grow(): Promise<Sample[]> {
  const input = twhin.topic('engagement');
  const output = twhin.topic(`embeddings.${GRAPH}`);
  await log.admin().create([input, output].map((name) => ({ name, partitions: 4, configs: KEPT })));
  const graph = {
    topics: ['engagement'],
    relations: ['likes', 'retweets', 'replies', 'quotes', 'mentions'],
  };
  const config = join(twhin.folder, 'growth.config.ts');
  const whole = withSettings({ graphs: { [GRAPH]: graph } }, values.set);
  await writeFile(config, `export default () => (${JSON.stringify(whole)});\n`);
  const running = twhin.start(['run', '--graph', GRAPH, '--http', '127.0.0.1:0', '--create-topics'], {
    env: { TWHIN_CONFIG: config },
  });
  const url = await running.url();
  const scrape = async () => parseMetrics(await (await fetch(`${url}/metrics`)).text());
  const sink = log.sink();
  const world = new GrowingWorld({ events, entities });
  const samples: Sample[] = [];
  const began = performance.now();
  let [told, taken, before, due] = [0, 0, await scrape(), began + EVERY_MS];
  let looked = began;
  while (taken < events && !interrupted) {
    const now = performance.now();
    if (now - looked >= LOOK_MS) {
      looked = now;
      const scraped = await scrape();
      taken = total(scraped, 'twhin_events_consumed_total');
      if (now >= due || taken >= events) {
        const sample = sampleOf(before, scraped, {
          seconds: (now - due + EVERY_MS) / 1000,
          at: (now - began) / 1000,
        });
        samples.push(sample);
        say(JSON.stringify(sample));
        [before, due] = [scraped, now + EVERY_MS];
      }
      if (running.over && !interrupted) throw new Error(`the updater ended:\n${running.stderr.slice(-2000)}`);
    }
    const count = Math.min(SEND, events - told, ((now - began) / 1000) * rate - told, taken + ahead - told);
    if (count < 1) await sleep(20);
    else {
      await sink.publish(world.next(Math.floor(count), input));
      told += Math.floor(count);
    }
  }
  await sink.stop();
  running.kill('SIGTERM');
  await running.ended;
  return samples;
}
