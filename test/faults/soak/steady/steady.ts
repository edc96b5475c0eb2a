import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Running, Twhin, until } from '../../../e2e/twhin.ts';
import { startSuiteBrokers } from '../../brokers.ts';
import { Dice } from '../../dice.ts';
import { Feeder } from '../../load/feeder.ts';
import { type Verified, verify } from '../../verifier/verify.ts';
import type { SteadyOptions } from '../options.ts';
import { ASKABLE, HeldHeap } from './held.ts';
import { POPULATION, Population, type PopulationSize } from './population.ts';
import { sampleProcess } from './process.ts';
import type { Line } from './samples.ts';
import { parseMetrics, total } from './scrape.ts';
import { Visitor } from './visitor.ts';

const SAMPLE_MS = 10_000;
/** What needs a collection first is looked at less often. */
const HELD_MS = 60_000;
const FILL_MS = 900_000;
const DRAIN_MS = 600_000;
const GRAPHS = ['engagement', 'follow'] as const;

/** What the container image says of memory, to Node and to the allocator. asked: more options for Node. */
function memoryOfImage(asked: readonly string[]): Record<string, string> {
  const dockerfile = readFileSync(join(import.meta.dirname, '..', '..', '..', '..', 'Dockerfile'), 'utf8');
  const [, node, allocator] = /^ENV NODE_OPTIONS=(\S+)((?: MALLOC_\w+=\d+)+)$/m.exec(dockerfile) ?? [];
  if (node === undefined || allocator === undefined)
    throw new Error('Dockerfile: expected a line ENV NODE_OPTIONS=… MALLOC_…=…, seen none');
  const variables = allocator
    .trim()
    .split(' ')
    .map((each) => each.split('=') as [string, string]);
  return { NODE_OPTIONS: [node, ...asked].join(' '), ...Object.fromEntries(variables) };
}

/**
 * An updater as it is shipped under a steady load without faults, with its dashboard open all the time. Everything that
 * is seen goes to the file; at the end all is drained and verified.
 */
export async function steady(options: SteadyOptions): Promise<void> {
  const { rate, seed, samples } = options;
  const write = (line: Line) => appendFileSync(samples, `${JSON.stringify(line)}\n`);
  writeFileSync(samples, '');
  say(`seed ${seed}; starting ${options.brokers} broker(s); samples go to ${samples}`);
  const dice = new Dice(seed);
  const size = { ...POPULATION, ...scaled(POPULATION, options.scale) };
  const population = new Population(dice.fork(), size, Date.now);
  const brokers = await startSuiteBrokers(options.brokers);
  // The configuration as it is shipped.
  const twhin = await Twhin.create(brokers.brokers, '');
  const feeder = new Feeder(brokers.brokers, twhin.prefix, population);
  try {
    await twhin.ok(['topics', 'apply']);
    const env = memoryOfImage(options.collect ? [ASKABLE] : []);
    const running = twhin.start(['run', '--http', '127.0.0.1:0'], { env });
    const url = await running.url();
    const filling = Date.now();
    await fill(feeder, population, url);
    const fillS = (Date.now() - filling) / 1000;
    const metrics = parseMetrics(await (await fetch(`${url}/metrics`)).text());
    write({
      ...{ kind: 'begin', command: commandOf(options), at: new Date().toISOString(), ...surroundings() },
      ...{ minutes: options.minutes, rate, brokers: options.brokers, seed, population: { ...size } },
      ...{ filled: feeder.made.length, fillS, fillCpuS: total(metrics, 'twhin_cpu_seconds_total') },
    });
    say(`filled with ${feeder.made.length} events in ${fillS.toFixed(0)} s; the steady time begins: ${url}`);
    const said = running.stderr.length;
    await steadyTime({ options, running, url, feeder, write, size, dice: dice.fork() });
    say('the time is up: stopping, draining, verifying');
    await feeder.stop();
    running.kill('SIGTERM');
    const { code, signal, stderr } = await running.ended;
    const draining = Date.now();
    const verified = await drainAndVerify(twhin, feeder, brokers.brokers);
    write({
      ...{ kind: 'end', sent: feeder.made.length, acknowledged: feeder.acknowledged.size },
      ...{
        feederRetries: feeder.retries,
        exit: String(code ?? signal),
        warnings: warningsOf(stderr.slice(said)),
      },
      ...{ drainS: (Date.now() - draining) / 1000, verified: { ...verified } },
    });
  } finally {
    await feeder.close();
    await twhin.remove();
    await brokers.stop();
  }
}

interface Scene {
  readonly options: SteadyOptions;
  readonly running: Running;
  readonly url: string;
  readonly feeder: Feeder;
  readonly size: PopulationSize;
  readonly dice: Dice;
  readonly write: (line: Line) => void;
}

/** Every edge of the population, until all of it is trained and published. */
async function fill(feeder: Feeder, population: Population, url: string): Promise<void> {
  await feeder.sendAll(population.fill());
  const wanted = { engagement: 0, follow: 0 };
  for (const { topic } of feeder.made) {
    if (topic !== 'follow') wanted.engagement++;
    if (topic === 'follow' || topic === 'ad-click') wanted.follow++;
  }
  const full = async () => {
    await sleep(500);
    const metrics = parseMetrics(await (await fetch(`${url}/metrics`)).text());
    return GRAPHS.every(
      (graph) =>
        (metrics[`twhin_events_consumed_total{graph="${graph}"}`] ?? 0) >= wanted[graph] &&
        metrics[`twhin_outbox_vectors{graph="${graph}"}`] === 0,
    );
  };
  await until('the whole population published', full, FILL_MS);
}

async function steadyTime({ options, running, url, feeder, size, dice, write }: Scene): Promise<void> {
  const began = Date.now();
  const atS = () => (Date.now() - began) / 1000;
  const problem = (tab: string, text: string) => write({ kind: 'problem', atS: atS(), tab, text });
  const visitor = options.alone ? undefined : await Visitor.come(url, problem);
  visitor?.start(() => `user:${dice.below(size.users)}`);
  const held = options.collect ? await HeldHeap.of(running) : undefined;
  feeder.start(options.rate);
  try {
    for (let tick = 0; Date.now() - began < options.minutes * 60_000; tick++) {
      if (running.over) throw new Error(`the updater ended:\n${running.stderr.slice(-4000)}`);
      const collects = tick % (HELD_MS / SAMPLE_MS) === 0;
      try {
        const heldMiB = collects ? await held?.measure() : undefined;
        const sample = await sampleProcess(running.pid, url, atS());
        write(heldMiB === undefined ? sample : { ...sample, heldMiB });
        for (const each of collects ? ((await visitor?.samples(atS())) ?? []) : []) write(each);
      } catch (error) {
        problem('sampling', error instanceof Error ? error.message : String(error));
      }
      await sleep(Math.max(0, began + (tick + 1) * SAMPLE_MS - Date.now()));
    }
  } finally {
    held?.close();
    await visitor?.leave();
    if (visitor !== undefined) write({ kind: 'visits', loads: visitor.loads, looks: visitor.looks });
  }
}

async function drainAndVerify(
  twhin: Twhin,
  feeder: Feeder,
  brokers: string,
): Promise<Verified | { problem: string }> {
  try {
    await twhin.ok(['run', '--until-caught-up'], { limitMs: DRAIN_MS });
    const { made, acknowledged } = feeder;
    const state = twhin.env['TWHIN_STATE'] ?? '';
    return await verify({ brokers, prefix: twhin.prefix, state, graphs: GRAPHS, made, acknowledged });
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

/** The command that does the same. */
function commandOf({ minutes, rate, seed, brokers, scale, alone, collect }: SteadyOptions): string {
  const rest = `${scale === 1 ? '' : ` --scale ${scale}`}${alone ? ' --alone' : ''}${collect ? ' --collect' : ''}`;
  return `npm run soak -- --steady --minutes ${minutes} --rate ${rate} --brokers ${brokers} --seed ${seed}${rest}`;
}

function scaled(size: PopulationSize, scale: number): Partial<PopulationSize> {
  const times = (count: number) => Math.max(1, Math.round(count * scale));
  return { users: times(size.users), tweets: times(size.tweets) };
}

function surroundings(): { machine: string; versions: string } {
  const [cpu] = cpus();
  const gib = (totalmem() / 2 ** 30).toFixed(0);
  return {
    machine: `${cpus().length} cores (${cpu?.model ?? 'unknown'}), ${gib} GiB, ${process.platform}`,
    versions: `Node ${process.version}`,
  };
}

/** Lines of its log that are warnings or errors. */
function warningsOf(stderr: string): string[] {
  return stderr.split('\n').filter((text) => /"level":"?(warn|error|fatal|[456]0)/.test(text));
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
