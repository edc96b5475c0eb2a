import { setTimeout as sleep } from 'node:timers/promises';
import { startSuiteBrokers } from '../brokers.ts';
import { Faulty } from '../deployment.ts';
import { Dice } from '../dice.ts';
import { MIXED } from '../load/load.ts';
import { Proxies } from '../proxy.ts';
import type { Verified } from '../verifier/verify.ts';
import { drawFault, type Scene } from './faults.ts';
import type { SoakOptions } from './main.ts';
import { Supervisor } from './supervisor.ts';

const RECOVERY_LIMIT_MS = 120_000;
const LOOK_EVERY_MS = 200;
const DRAIN_MS = 600_000;

/** Mixed faults at random under load for a time; then everything is drained and verified. */
export async function mixedFaults(options: SoakOptions): Promise<{ text: string; right: boolean }> {
  const { minutes, seed, rate } = options;
  say(`seed ${seed}; starting ${options.brokers} brokers`);
  const dice = new Dice(seed);
  const brokers = await startSuiteBrokers(options.brokers);
  const proxies = await Proxies.before(brokers.fronts);
  const faulty = await Faulty.deploy({
    ...{ brokers: brokers.brokers, through: proxies.through, dice, sessionMs: 6_000 },
    // Few erasures: each leaves open, of all events that it concerns, whether they counted before it came.
    load: { ...MIXED, users: 2_000, tweets: 3_000, erasures: 0.0001 },
  });
  const supervisor = new Supervisor(faulty);
  const scene: Scene = { faulty, supervisor, brokers, proxies, dice: dice.fork() };
  const began = Date.now();
  try {
    supervisor.start();
    faulty.feeder.start(rate);
    const recoveries = await faults(scene, began, began + minutes * 60_000);
    say('the time is up: healing, feeding the rest, draining');
    await faulty.feeder.stop();
    await supervisor.stop();
    const draining = Date.now();
    const verified = await drainAndVerify(faulty);
    const right = !('problem' in verified);
    const text = [
      `# Soak: ${minutes} minutes of mixed faults, ${right ? 'nothing lost, nothing twice' : 'NOT RIGHT'}`,
      `\n\`npm run soak -- --minutes ${minutes} --seed ${seed} --rate ${rate}\`; ${options.brokers} brokers\n`,
      ...table({
        'starts of the updater': supervisor.starts,
        'events made': faulty.feeder.made.length,
        'events acknowledged by the brokers': faulty.feeder.acknowledged.size,
        'requests that the load repeated': faulty.feeder.retries,
        'time to drain at the end, s': (Date.now() - draining) / 1000,
        ...verified,
      }),
      ...recoveryTable(recoveries),
      `\nThe updater ended ${supervisor.endings.length} times without being killed.`,
      ...supervisor.endings.map(({ code, signal, lastWords }) => `- ${code ?? signal}: ${lastWords}`),
    ];
    return { text: text.join('\n'), right };
  } finally {
    await supervisor.stop();
    await faulty.remove();
    await proxies.remove();
    await brokers.stop();
  }
}

/** What it took to be back after a fault. */
interface Recovery {
  readonly kind: string;
  /** Until every record that was fed when the fault was over was in the stores; undefined: not within the limit. */
  readonly caughtUpMs: number | undefined;
  /** Until the first commit after the fault was over. */
  readonly firstCommitMs: number | undefined;
}

/** Waits until the stores hold all that was acknowledged by now, however long the way there, up to `limitMs`. */
async function recovered(
  faulty: Faulty,
  limitMs: number,
): Promise<Pick<Recovery, 'caughtUpMs' | 'firstCommitMs'>> {
  const over = Date.now();
  const wanted = faulty.graphs.map((graph) => faulty.fed(graph));
  const before = await Promise.all(faulty.graphs.map((graph) => faulty.consumed(graph)));
  let firstCommitMs: number | undefined;
  while (Date.now() - over < limitMs) {
    const now = await Promise.all(faulty.graphs.map((graph) => faulty.consumed(graph)));
    if (now.some((consumed, i) => consumed !== before[i])) firstCommitMs ??= Date.now() - over;
    if (now.every((consumed, i) => consumed >= (wanted[i] ?? 0)))
      return { caughtUpMs: Date.now() - over, firstCommitMs };
    await sleep(LOOK_EVERY_MS);
  }
  return { caughtUpMs: undefined, firstCommitMs };
}

/** One fault after another, each followed to its end, until the time is up. */
async function faults(scene: Scene, began: number, until: number): Promise<Recovery[]> {
  const recoveries: Recovery[] = [];
  await recovered(scene.faulty, RECOVERY_LIMIT_MS);
  while (Date.now() < until) {
    const { kind, happen } = drawFault(scene.dice);
    const atS = Math.round((Date.now() - began) / 1000);
    await happen(scene);
    const recovery = { kind, ...(await recovered(scene.faulty, RECOVERY_LIMIT_MS)) };
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

function table(figures: Readonly<Record<string, unknown>>): string[] {
  return [
    '| | |',
    '|---|---:|',
    ...Object.entries(figures).map(
      ([what, seen]) => `| ${what} | ${typeof seen === 'object' ? JSON.stringify(seen) : seen} |`,
    ),
  ];
}

/** Seconds from the end of a fault to the first commit, and until all that was fed by then is in the stores. */
function recoveryTable(recoveries: readonly Recovery[]): string[] {
  // Without a first commit all was in before the fault; what never came in is over every limit.
  const longest = (times: readonly number[]) => (Math.max(0, ...times) / 1000).toFixed(1);
  return [
    '\n| fault | times | first commit, longest, s | all in, longest, s |\n|---|---:|---:|---:|',
    ...[...Map.groupBy(recoveries, ({ kind }) => kind)].map(([kind, all]) => {
      const first = all.map((each) => each.firstCommitMs ?? 0);
      const caught = all.map((each) => each.caughtUpMs ?? Number.POSITIVE_INFINITY);
      return `| ${kind} | ${all.length} | ${longest(first)} | ${longest(caught)} |`;
    }),
  ];
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
