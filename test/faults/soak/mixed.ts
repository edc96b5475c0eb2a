import { setTimeout as sleep } from 'node:timers/promises';
import { startSuiteBrokers } from '../brokers.ts';
import { Faulty } from '../deployment.ts';
import { Dice } from '../dice.ts';
import { MIXED } from '../load/load.ts';
import { BrokerProxy } from '../proxy.ts';
import type { Verified } from '../verifier/verify.ts';
import { drawFault, type Scene } from './faults.ts';
import { diskMiB, processFigures, type Sample } from './meter.ts';
import type { MixedOptions } from './options.ts';
import { type Recovery, recovered } from './recovery.ts';
import { reportOf } from './report.ts';
import { Supervisor } from './supervisor.ts';

const SAMPLE_MS = 5_000;
const RECOVERY_LIMIT_MS = 120_000;
const DRAIN_MS = 600_000;

/** Mixed faults at random under load for a time; then everything is drained and verified. */
export async function mixedFaults(options: MixedOptions): Promise<{ text: string; right: boolean }> {
  const { minutes, seed, rate } = options;
  say(`seed ${seed}; starting ${options.brokers} brokers`);
  const dice = new Dice(seed);
  const brokers = await startSuiteBrokers(options.brokers);
  const proxies = await Promise.all(brokers.fronts.map((front) => BrokerProxy.before(front)));
  const through = brokers.fronts.map(({ advertised }) => `127.0.0.1:${advertised}`).join(',');
  const faulty = await Faulty.deploy({
    ...{ brokers: brokers.brokers, through, dice, sessionMs: 6_000 },
    // Few erasures: each leaves open, of all events that it concerns, whether they counted before it came.
    load: { ...MIXED, users: 2_000, tweets: 3_000, erasures: 0.0001 },
  });
  const supervisor = new Supervisor(faulty);
  const scene: Scene = { faulty, supervisor, brokers, proxies, dice: dice.fork() };
  const began = Date.now();
  const samples: Sample[] = [];
  const sampling = setInterval(() => void sample(scene, began, samples), SAMPLE_MS);
  try {
    supervisor.start();
    faulty.feeder.start(rate);
    const recoveries = await faults(scene, began, began + minutes * 60_000);
    say('the time is up: healing, feeding the rest, draining');
    await faulty.feeder.stop();
    await supervisor.stop();
    clearInterval(sampling);
    const draining = Date.now();
    const verified = await drainAndVerify(faulty);
    const text = reportOf({
      ...{ command: `npm run soak -- --minutes ${minutes} --seed ${seed} --rate ${rate}`, minutes, seed },
      ...{ brokers: options.brokers, recoveries, samples, verified, drainMs: Date.now() - draining },
      ...{ starts: supervisor.starts, endings: supervisor.endings, sent: faulty.feeder.made.length },
      ...{ acknowledged: faulty.feeder.acknowledged.size, feederRetries: faulty.feeder.retries },
    });
    return { text, right: !('problem' in verified) };
  } finally {
    clearInterval(sampling);
    await supervisor.stop();
    await faulty.remove();
    for (const proxy of proxies) await proxy.close();
    await brokers.stop();
  }
}

/** One fault after another, each followed to its end, until the time is up. */
async function faults(scene: Scene, began: number, until: number): Promise<Recovery[]> {
  const recoveries: Recovery[] = [];
  await recovered(scene.faulty, RECOVERY_LIMIT_MS);
  while (Date.now() < until) {
    const { kind, happen } = drawFault(scene.dice);
    const atS = Math.round((Date.now() - began) / 1000);
    await happen(scene);
    const recovery = { kind, atS, ...(await recovered(scene.faulty, RECOVERY_LIMIT_MS)) };
    recoveries.push(recovery);
    say(
      `${atS} s: ${kind}; first commit after ${recovery.firstCommitMs} ms, all in after ${recovery.caughtUpMs} ms`,
    );
    await sleep(scene.dice.between(0, 6_000));
  }
  return recoveries;
}

async function drainAndVerify(faulty: Faulty): Promise<Verified | { problem: string }> {
  try {
    await faulty.catchUp({ limitMs: DRAIN_MS });
    return await faulty.verify({ repeatedLetters: true });
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

async function sample({ supervisor, faulty }: Scene, began: number, samples: Sample[]): Promise<void> {
  const pid = supervisor.running?.pid;
  const figures = pid === undefined ? undefined : processFigures(pid);
  if (pid === undefined || figures === undefined) return;
  const heads = await Promise.all(faulty.graphs.map((graph) => faulty.head(graph)));
  samples.push({
    ...{ atS: (Date.now() - began) / 1000, pid, ...figures, diskMiB: diskMiB(faulty.state) },
    edges: heads.reduce((sum, head) => sum + total(head?.edges), 0),
    consumed: heads.reduce((sum, head) => sum + (head?.events.consumed ?? 0), 0),
  });
}

function total(counts: Readonly<Record<string, number>> = {}): number {
  return Object.values(counts).reduce((sum, each) => sum + each, 0);
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
