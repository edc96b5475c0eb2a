import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a process took from its start to its end. */
export interface Usage {
  readonly seconds: number;
  /** Processor time of all its threads, in seconds. */
  readonly cpu: number;
  /** Most memory it held, bytes. */
  readonly rss: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Writes what the process used where the parent reads it, as it ends. */
const METER = `import { writeFileSync } from 'node:fs';
process.on('exit', () => {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  writeFileSync(process.env.BENCH_USAGE, JSON.stringify({ cpu: (userCPUTime + systemCPUTime) / 1e6, rss: maxRSS * 1024 }));
});`;

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
  const { cpu, rss } = JSON.parse(await readFile(file, 'utf8'));
  await rm(folder, { recursive: true });
  return { seconds, cpu, rss, stdout, stderr };
}
