import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a process took from its start to its end. */
export interface Usage {
  readonly seconds: number;
  /** Processor time of all its threads, in seconds. */
  readonly cpu: number;
  /** By name of its threads, seconds of processor, to the last tenth of a second; empty where the system does not say. */
  readonly threads: Readonly<Record<string, number>>;
  /** Most memory it held, bytes. */
  readonly rss: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Writes what the process used where the parent reads it, as it ends. Threads end before, so that they are looked at now and then. */
const METER = `import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
const seen = new Map();
const look = () => {
  try {
    for (const id of readdirSync('/proc/self/task')) {
      const [, name, rest] = /\\((.*)\\) (.*)/s.exec(readFileSync('/proc/self/task/' + id + '/stat', 'utf8')) ?? [];
      const [user, system] = rest?.split(' ').slice(11, 13).map(Number) ?? [0, 0];
      seen.set(id, { name, seconds: (user + system) / 100 });
    }
  } catch {
    // A thread has ended meanwhile, or the system has no such folder.
  }
};
if (isMainThread) {
  setInterval(look, 100).unref();
  process.on('exit', () => {
    look();
    const threads = {};
    for (const { name, seconds } of seen.values()) threads[name] = (threads[name] ?? 0) + seconds;
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
    const cpu = (userCPUTime + systemCPUTime) / 1e6;
    writeFileSync(process.env.BENCH_USAGE, JSON.stringify({ cpu, threads, rss: maxRSS * 1024 }));
  });
}`;

/** Runs a script of ours to its end. @throws with the end of what it said where that is no good one. */
export async function measured(args: readonly string[], env: NodeJS.ProcessEnv, stdin = ''): Promise<Usage> {
  const folder = await mkdtemp(join(tmpdir(), 'twhin-usage-'));
  const file = join(folder, 'usage.json');
  const began = performance.now();
  const child = spawn(
    process.execPath,
    [`--import=data:text/javascript,${encodeURIComponent(METER)}`, ...args],
    { env: { ...env, BENCH_USAGE: file } },
  );
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin);
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-200_000);
  });
  const { promise, resolve } = Promise.withResolvers<number | null>();
  child.on('close', resolve);
  const code = await promise;
  const seconds = (performance.now() - began) / 1000;
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}:\n${stderr.slice(-4000)}`);
  const { cpu, threads, rss } = JSON.parse(await readFile(file, 'utf8'));
  await rm(folder, { recursive: true });
  return { seconds, cpu, threads, rss, stdout, stderr };
}
