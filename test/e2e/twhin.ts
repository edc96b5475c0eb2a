import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { besideTest, COMPILED } from './companion.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const COMMAND = join(ROOT, 'bin', 'twhin.js');
/** Longer than anything takes on a machine that is several times as busy as usual: what is not over by then hangs. */
export const HANGS_MS = 180_000;
/** A check that waits for a state leaves most of the time to what brings the state about, but sees the state soon. */
const REST = 9;
const SHORTEST_REST_MS = 10;
const LONGEST_REST_MS = 500;

/** How a process ended, and all it said. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Gives how a process ended. @throws what it said, where it did not end well. */
export function well(ended: Ended, what = 'the process'): Ended {
  const { code, signal, stderr } = ended;
  if (code !== 0) throw new Error(`${what} ended with ${code ?? signal}, not well:\n${stderr.slice(-4000)}`);
  return ended;
}

/** A small model where vectors don't matter: what is left is the moving of bytes. */
export const SMALL = `model: { dim: 16 }, limits: { maxEntities: 100_000, maxKnownEdges: 1_000_000 },`;

let made = 0;

/** One deployment under test: its own topics, stores and configuration, used through the command line alone. */
export class Twhin {
  readonly folder: string;
  readonly prefix: string;
  readonly env: Record<string, string>;
  readonly #running = new Set<Running>();

  private constructor(folder: string, prefix: string, env: Record<string, string>) {
    this.folder = folder;
    this.prefix = prefix;
    this.env = env;
  }

  /** config: the inside of the object that twhin.config.ts gives for the kit `k`. */
  static async create(brokers: string, config: string = SMALL): Promise<Twhin> {
    const folder = await mkdtemp(join(tmpdir(), 'twhin-e2e-'));
    const prefix = `e2e-${process.pid}-${++made}-${Date.now()}.`;
    // Nothing of the test's own environment: NODE_ENV and npm's variables change how libraries and bin/ behave.
    const env: Record<string, string> = {
      PATH: process.env['PATH'] ?? '',
      KAFKA_BROKERS: brokers,
      TWHIN_STATE: join(folder, 'state'),
      TWHIN_TOPIC_PREFIX: prefix,
      // Many run beside each other, and few are asked.
      TWHIN_HTTP: 'off',
    };
    const twhin = new Twhin(folder, prefix, env);
    env['TWHIN_CONFIG'] = await twhin.configure(config);
    return twhin;
  }

  /** Writes another configuration beside the first; gives its path. */
  async configure(config: string): Promise<string> {
    const path = join(this.folder, `twhin-${++made}.config.ts`);
    await writeFile(path, `export default (k) => ({ ${config} });\n`);
    return path;
  }

  /** The same deployment with another environment, such as a state folder of its own. */
  elsewhere(env: Readonly<Record<string, string>>): Twhin {
    return new Twhin(this.folder, this.prefix, { ...this.env, ...env });
  }

  topic(name: string): string {
    return `${this.prefix}${name}`;
  }

  /** Starts a command. stdin is at its end unless `stdin` gives text. */
  start(args: readonly string[], options: CommandOptions = {}): Running {
    const { command = COMMAND } = options;
    const child = spawn(process.execPath, [command, ...args], {
      cwd: this.folder,
      env: { ...this.env, ...(command !== COMMAND && COMPILED), ...options.env },
    });
    const running = new Running(child);
    this.#running.add(running);
    child.stdin.on('error', () => undefined);
    if (options.stdin !== 'open') child.stdin.end(options.stdin ?? '');
    return running;
  }

  /** Runs a command to its end, whatever that is. */
  async end(args: readonly string[], options: CommandOptions = {}): Promise<Ended> {
    return this.start(args, options).endsWithin(options.limitMs);
  }

  /** Runs a command that has to succeed, a short one in the companion process; gives its stdout. */
  async ok(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    const { stdin, command, alone, env } = options;
    const short = stdin === undefined && command === undefined && alone !== true;
    const beside = short ? besideTest(args, this.folder, { ...this.env, ...env }) : undefined;
    return well(await (beside ?? this.end(args, options)), `twhin ${args.join(' ')}`).stdout;
  }

  /** What a command says with --json; one object is all there may be on stdout. */
  async json(args: readonly string[], options: CommandOptions = {}): Promise<unknown> {
    return JSON.parse(await this.ok([...args, '--json'], options));
  }

  /** Events of a topic, sent from a file. */
  async feed(topic: string, events: readonly object[]): Promise<void> {
    const file = join(this.folder, `events-${++made}.ndjson`);
    await writeFile(file, events.map((event) => `${JSON.stringify(event)}\n`).join(''));
    await this.ok(['feed', file, '--topic', topic]);
  }

  /** Ends what still runs and removes everything. */
  async remove(): Promise<void> {
    for (const running of this.#running) running.kill('SIGKILL');
    await Promise.all([...this.#running].map(({ ended }) => ended));
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

export interface CommandOptions {
  /** Text for its stdin, or 'open' to write to it later. */
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly limitMs?: number;
  /** Path of another way into the command line. */
  readonly command?: string;
  /** In a process of its own, however short it is. */
  readonly alone?: boolean;
}

/** A command that was started. */
export class Running {
  stdout = '';
  stderr = '';
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ended>;
  #over = false;

  constructor(child: ChildProcessWithoutNullStreams) {
    this.child = child;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    const { promise, resolve } = Promise.withResolvers<Ended>();
    this.ended = promise;
    child.on('close', (code, signal) => {
      this.#over = true;
      if (signal === 'SIGSEGV' || signal === 'SIGABRT')
        crashed.push(`${signal}: ${this.stderr.slice(-2000)}`);
      resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get over(): boolean {
    return this.#over;
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Kills it in the moment it says the text, with no waiting in between that could miss the moment. */
  killOnceSaid(text: RegExp): void {
    this.child.stderr.on('data', () => {
      if (text.test(this.stderr)) this.kill('SIGKILL');
    });
  }

  /** Ends it as an operator does. @throws when it does not end well. */
  async stop(): Promise<void> {
    this.kill('SIGTERM');
    well(await this.ended);
  }

  /** Waits for its end, which a signal brings about where nothing else does in time. */
  async endsWithin(limitMs = HANGS_MS, signal: NodeJS.Signals = 'SIGKILL'): Promise<Ended> {
    const timer = setTimeout(() => this.kill(signal), limitMs);
    const ended = await this.ended;
    clearTimeout(timer);
    return ended;
  }

  /** Where it serves, once it does. */
  async url(): Promise<string> {
    await this.says(/"msg":"(serving health and metrics|listening on )/);
    return /"url":"([^"]+)"/.exec(this.stderr)?.[1] ?? '';
  }

  /** Waits until a failpoint has frozen it. It says so a moment before, when a SIGCONT would come too early and be lost. */
  async freezes(): Promise<void> {
    await this.says(/failpoint: freeze/);
    await until('a stopped process', () => / T /.test(readFileSync(`/proc/${this.pid}/stat`, 'utf8')));
  }

  /** Waits for text on stderr. @throws when it ends before, or in vain. */
  async says(text: RegExp, limitMs = HANGS_MS): Promise<void> {
    let heard = 0;
    let said = false;
    await until(
      `${text} on stderr`,
      () => {
        if (this.stderr.length > heard) said = text.test(this.stderr);
        heard = this.stderr.length;
        return said || this.#over;
      },
      limitMs,
    );
    if (!text.test(this.stderr))
      throw new Error(`it ended without saying ${text}:\n${this.stderr.slice(-4000)}`);
  }
}

/** Commands that ended as no test ends them. */
const crashed: string[] = [];

/** Waits until `ready`. @throws naming what was waited for, at once where a command crashed meanwhile. */
export async function until(
  what: string,
  ready: () => boolean | Promise<boolean>,
  limitMs = HANGS_MS,
): Promise<void> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const asked = Date.now();
    if (await ready()) return;
    if (crashed.length > 0)
      throw new Error(`a command crashed while waiting for: ${what}\n${crashed.join('\n')}`);
    if (Date.now() > deadline) throw new Error(`waited ${limitMs} ms in vain for: ${what}`);
    const restMs = REST * (Date.now() - asked);
    await sleep(Math.min(Math.max(SHORTEST_REST_MS, restMs), LONGEST_REST_MS));
  }
}
