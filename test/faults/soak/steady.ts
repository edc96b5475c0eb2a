import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { type Running, Twhin, until } from '../../e2e/twhin.ts';
import { startSuiteBrokers } from '../brokers.ts';
import { Dice } from '../dice.ts';
import { Feeder } from '../load/feeder.ts';
import { Load, type LoadOptions, MIXED } from '../load/load.ts';
import { total } from '../scrape.ts';
import { verify } from '../verifier/verify.ts';
import { type Check, type Sample, verdictOf } from './bounds.ts';
import type { SoakOptions } from './main.ts';

/** A world that is full after so many events, and does not grow from then on. */
const FULL_AFTER = 800_000;
const WORLD: LoadOptions = { ...MIXED, users: 3_000, tweets: 1_500, degree: 2, erasures: 0, bad: 0.005 };
const MIB = 1024 * 1024;
const SAMPLE_MS = 10_000;
const FILL_MS = 900_000;
const DRAIN_MS = 600_000;
const GRAPHS = ['engagement', 'follow'] as const;
const STATUS = z.object({
  graphs: z.array(z.object({ latencyMs: z.object({ p99: z.number().optional() }) })),
});

/**
 * An updater as it is shipped, under a steady load without faults. Every look at it goes to the file `samples`; at the end
 * all is drained and verified. Gives the report, and whether all bounds hold.
 */
export async function steady(
  options: SoakOptions,
  samples: string,
): Promise<{ text: string; right: boolean }> {
  const { rate, seed, minutes } = options;
  writeFileSync(samples, '');
  say(`seed ${seed}; starting ${options.brokers} broker(s); samples go to ${samples}`);
  const brokers = await startSuiteBrokers(options.brokers);
  // The configuration as it is shipped.
  const twhin = await Twhin.create(brokers.brokers, '');
  const feeder = new Feeder(brokers.brokers, twhin.prefix, new Load(new Dice(seed), WORLD));
  try {
    await twhin.ok(['topics', 'apply']);
    const running = twhin.start(['run', '--http', '127.0.0.1:0'], { env: memoryOfImage() });
    const url = await running.url();
    await fill(feeder, url);
    say(`filled with ${feeder.made.length} events; the steady time begins: ${url}`);
    const [said, began] = [running.stderr.length, Date.now()];
    const seen: Sample[] = [];
    feeder.start(rate);
    while (Date.now() - began < minutes * 60_000) {
      await sleep(SAMPLE_MS);
      if (running.over) throw new Error(`the updater ended:\n${running.stderr.slice(-4000)}`);
      const sample = await sampleOf(running, url, (Date.now() - began) / 1000);
      seen.push(sample);
      appendFileSync(samples, `${JSON.stringify(sample)}\n`);
    }
    say('the time is up: stopping, draining, verifying');
    await feeder.stop();
    running.kill('SIGTERM');
    const { code, signal, stderr } = await running.ended;
    const warnings = stderr
      .slice(said)
      .split('\n')
      .filter((text) => /"level":"?(warn|error|fatal|[456]0)/.test(text));
    const checks = [
      ...verdictOf(seen, { minutes, rate }),
      check('the updater ends well', String(code ?? signal), code === 0),
      check(
        'warnings and errors of its log',
        warnings.slice(0, 5).join('; ') || 'none',
        warnings.length === 0,
      ),
      await verified(twhin, feeder, brokers.brokers),
    ];
    const command = `npm run soak -- --steady --minutes ${minutes} --rate ${rate} --brokers ${options.brokers} --seed ${seed}`;
    return { text: report(command, seen, checks), right: checks.every(({ holds }) => holds) };
  } finally {
    await feeder.close();
    await twhin.remove();
    await brokers.stop();
  }
}

/** What the container image says of memory, to Node and to the allocator. */
function memoryOfImage(): Record<string, string> {
  const dockerfile = readFileSync(join(import.meta.dirname, '..', '..', '..', 'Dockerfile'), 'utf8');
  const line = /^ENV (NODE_OPTIONS=\S+(?: MALLOC_\w+=\d+)+)$/m.exec(dockerfile)?.[1];
  if (line === undefined)
    throw new Error('Dockerfile: expected a line ENV NODE_OPTIONS=… MALLOC_…=…, seen none');
  return Object.fromEntries(
    line.split(' ').map((each) => [each.slice(0, each.indexOf('=')), each.slice(each.indexOf('=') + 1)]),
  );
}

/** Feeds events until the world is full, and waits until all of it is trained and published. */
async function fill(feeder: Feeder, url: string): Promise<void> {
  await feeder.send(FULL_AFTER);
  const fed = (...topics: string[]) => feeder.made.filter(({ topic }) => topics.includes(topic)).length;
  const wanted = { engagement: fed('engagement', 'ad-click', 'search'), follow: fed('follow', 'ad-click') };
  const full = async () => {
    await sleep(500);
    const metrics = await scrape(url);
    return GRAPHS.every(
      (graph) =>
        total(metrics, 'twhin_events_consumed_total', `"${graph}"`) >= wanted[graph] &&
        total(metrics, 'twhin_outbox_vectors', `"${graph}"`) === 0,
    );
  };
  await until('the whole world published', full, FILL_MS);
}

async function scrape(url: string): Promise<string> {
  return (await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(10_000) })).text();
}

/** What the process takes and says of itself. @throws where it is gone or does not answer. */
async function sampleOf({ pid }: Running, url: string, atS: number): Promise<Sample> {
  const metrics = await scrape(url);
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const number = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
  const { graphs } = STATUS.parse(await (await fetch(`${url}/api/status`)).json());
  return {
    atS,
    rssMiB: number('VmRSS') / 1024,
    files: readdirSync(`/proc/${pid}/fd`).length,
    threads: number('Threads'),
    p99Ms: Math.max(...graphs.map(({ latencyMs }) => latencyMs.p99 ?? 0)),
    lag: total(metrics, 'twhin_lag_records'),
    entities: total(metrics, 'twhin_entities'),
    edges: total(metrics, 'twhin_edges'),
    storeMiB: total(metrics, 'twhin_store_bytes') / MIB,
  };
}

function check(what: string, seen: string, holds: boolean): Check {
  return { what, bound: '', seen, holds };
}

/** The store, the topics and the rest against the input, once all of it was taken. */
async function verified(twhin: Twhin, feeder: Feeder, brokers: string): Promise<Check> {
  const what = 'store and topics against the input';
  try {
    await twhin.ok(['run', '--until-caught-up'], { limitMs: DRAIN_MS });
    const { made, acknowledged } = feeder;
    const state = twhin.env['TWHIN_STATE'] ?? '';
    const found = await verify({ brokers, prefix: twhin.prefix, state, graphs: GRAPHS, made, acknowledged });
    return check(
      what,
      `${found.events} events, ${found.edges} live edges, ${found.published} published`,
      true,
    );
  } catch (error) {
    return check(what, error instanceof Error ? error.message : String(error), false);
  }
}

function report(command: string, samples: readonly Sample[], checks: readonly Check[]): string {
  const tenth = Math.max(1, Math.floor(samples.length / 10));
  const shown = samples.filter((_, i) => i % tenth === 0);
  const broken = checks.filter(({ holds }) => !holds).length;
  return [
    `# Steady load: ${broken === 0 ? 'all bounds hold' : `${broken} BOUNDS BROKEN`}`,
    `\n\`${command}\`\n`,
    '| minute | RSS, MiB | files | threads | p99, ms | records that wait | entities | live edges | stores, MiB |',
    '|---:|---:|---:|---:|---:|---:|---:|---:|---:|',
    ...shown.map((sample) => {
      const { atS, rssMiB, files, threads, p99Ms, lag, entities, edges, storeMiB } = sample;
      return `| ${[atS / 60, rssMiB, files, threads, p99Ms, lag, entities, edges, storeMiB].map(Math.round).join(' | ')} |`;
    }),
    '\n| after warming up | bound | seen | holds |\n|---|---|---|---|',
    ...checks.map(
      ({ what, bound, seen, holds }) => `| ${what} | ${bound} | ${seen} | ${holds ? 'yes' : '**no**'} |`,
    ),
  ].join('\n');
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
