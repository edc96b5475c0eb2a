import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempDisposable, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WRONG_USAGE } from '../src/cli/output.ts';
import { withSettings } from '../src/config/overrides.ts';
import { UsageError } from '../src/errors/errors.ts';
import { type Here, ROOT } from './harness.ts';

export const COMMAND = join(ROOT, 'bin', 'twhin.js');
/** Longer than anything takes on a busy machine. */
const HANGS_MS = 900_000;
const LOOK_MS = 20;

/** What a process took from its start to its end. */
export interface Usage {
  /** Processor time of all its threads, in seconds. */
  readonly cpu: number;
  /** Most memory it held, bytes. */
  readonly rss: number;
  /** Bytes that it had written to a disk, as the kernel counts them. */
  readonly written: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Writes what the process used where the parent reads it, as it ends. */
const METER = `import { readFileSync, writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
if (isMainThread) {
  process.on('exit', () => {
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
    const cpu = (userCPUTime + systemCPUTime) / 1e6;
    const written = Number(/^write_bytes: (.*)/m.exec(readFileSync('/proc/self/io', 'utf8'))[1]);
    writeFileSync(process.env.BENCH_USAGE, JSON.stringify({ cpu, rss: maxRSS * 1024, written }));
  });
}`;

/** A file for TWHIN_CONFIG: a configuration with `key=value` settings over it. */
export async function configFile(
  folder: string,
  config: unknown,
  settings: readonly string[],
): Promise<string> {
  const path = join(folder, `${crypto.randomUUID()}.config.ts`);
  await writeFile(path, `export default () => (${JSON.stringify(withSettings(config, settings))});\n`);
  return path;
}

/** The environment of processes with a folder, topics, a state and a configuration of their own. */
export async function ownPlace(here: Pick<Here, 'broker' | 'folder' | 'set'>, config: unknown = {}) {
  const folder = await here.folder();
  const prefix = `bench-${crypto.randomUUID()}.`;
  const env = {
    ...process.env,
    KAFKA_BROKERS: await here.broker(),
    TWHIN_TOPIC_PREFIX: prefix,
    TWHIN_STATE: join(folder, 'state'),
    TWHIN_HTTP: '127.0.0.1:0',
    TWHIN_CONFIG: await configFile(folder, config, here.set),
  };
  return { env, folder, prefix };
}

/** Runs a script of ours to its end. @throws with the end of what it said where that is no good one; UsageError where it was asked wrongly. */
export async function ran(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Usage> {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'twhin-usage-'));
  const file = join(folder.path, 'usage.json');
  const meter = `--import=data:text/javascript,${encodeURIComponent(METER)}`;
  const running = new Running([meter, ...args], { ...env, BENCH_USAGE: file });
  const code = await running.ended;
  const { stdout, stderr } = running;
  if (code === WRONG_USAGE) throw new UsageError(stderr.trim());
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}:\n${stderr.slice(-4000)}`);
  const { cpu, rss, written } = JSON.parse(await readFile(file, 'utf8'));
  return { cpu, rss, written, stdout, stderr };
}

/** A process that goes on until it is told to end. */
export class Running implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly ended: Promise<number | NodeJS.Signals | null>;
  stdout = '';
  stderr = '';
  #over = false;

  constructor(args: readonly string[], env: NodeJS.ProcessEnv, stdin: 'ignore' | 'pipe' = 'ignore') {
    this.child = spawn(process.execPath, args, { env, stdio: [stdin, 'pipe', 'pipe'] });
    this.child.stdin?.on('error', () => undefined);
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-400_000);
    });
    const { promise, resolve } = Promise.withResolvers<number | NodeJS.Signals | null>();
    this.child.on('close', (code, signal) => {
      this.#over = true;
      resolve(code ?? signal);
    });
    this.ended = promise;
  }

  /** Waits for what `look` gives. @throws where the process has ended, or after a quarter of an hour. */
  async until<T>(what: string, look: () => T | undefined | Promise<T | undefined>): Promise<T> {
    const deadline = Date.now() + HANGS_MS;
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      if (this.child.exitCode === WRONG_USAGE) throw new UsageError(this.stderr.trim());
      if (this.#over || Date.now() > deadline)
        throw new Error(`waited in vain for ${what}:\n${this.stderr.slice(-4000)}`);
      await sleep(LOOK_MS);
    }
  }

  /** The line of its log with this message. */
  line(message: string): Promise<LogLine> {
    return this.until(message, () => findLine(this.stderr, message));
  }

  /** The address of its HTTP server. */
  url(): Promise<string> {
    return this.until('its address', () => /"url":"([^"]+)"/.exec(this.stderr)?.[1]);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.child.kill(signal);
    await this.ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#over ? Promise.resolve() : this.stop('SIGKILL');
  }
}

/** A line of the log; every other field as the message has it. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly time: number };

export function findLine(log: string, message: string): LogLine | undefined {
  const found = log.split('\n').find((text) => text.includes(`"msg":"${message}"`));
  return found === undefined ? undefined : JSON.parse(found);
}

/** Metrics by their whole name, labels included. */
export type Scrape = ReadonlyMap<string, number>;

export async function scrape(url: string): Promise<Scrape> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.matchAll(/^([a-z_]+(?:\{[^}]*\})?) (\S+)$/gm);
  return new Map(Array.from(lines, ([, name = '', value]) => [name, Number(value)]));
}

/** The sum over all labels; since an earlier look where one is given. */
export function total(metrics: Scrape, name: string, since: Scrape = new Map()): number {
  let sum = 0;
  for (const [key, value] of metrics)
    if (key === name || key.startsWith(`${name}{`)) sum += value - (since.get(key) ?? 0);
  return sum;
}

/** The bound of the bucket in which a share of what was counted between two looks lies, of a metric with one label at most. */
export function quantile(before: Scrape, after: Scrape, name: string, share: number): number {
  const all = total(after, `${name}_count`, before);
  for (const [key, count] of after) {
    const bound = key.startsWith(`${name}_bucket{`) ? /le="([^"]+)"/.exec(key)?.[1] : undefined;
    if (bound !== undefined && all > 0 && count - (before.get(key) ?? 0) >= share * all)
      return Number(bound.replace('+Inf', 'Infinity'));
  }
  return Number.NaN;
}
