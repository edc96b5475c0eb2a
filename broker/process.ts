import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, openSync, readFileSync, renameSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { KafkaAdmin } from '../src/adapters/kafka/admin.ts';
import { RetryableError } from '../src/errors/errors.ts';

export interface Outcome {
  /** undefined: the command could not be started, or ran too long. */
  readonly code: number | undefined;
  /** stdout and stderr together. */
  readonly output: string;
}

/** Runs a command to its end. Never rejects: a missing command is an outcome too. */
export function runCommand(command: string, args: readonly string[], limitMs: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: limitMs });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    const output = () => Buffer.concat(chunks).toString('utf8').trim();
    child.on('error', (error) => resolve({ code: undefined, output: whyNotStarted(command, error) }));
    child.on('close', (code) => resolve({ code: code ?? undefined, output: output() }));
  });
}

function whyNotStarted(command: string, error: NodeJS.ErrnoException): string {
  return error.code === 'ENOENT' ? `${command} is not installed` : error.message;
}

/** The Java installation and the options that a broker runs with. */
export interface Jvm {
  readonly java: string;
  readonly libs: string;
  /** File of the JVM's loaded classes, which halves the time of a start; the first clean stop writes the file. */
  readonly archive?: string;
  /** Whether the broker outlives the process that started it. */
  readonly keep?: boolean;
}

/** A simple compiler and collector halve the time of a start. 256 MB are enough for one broker, but for batches of a million records. */
const JVM_FLAGS = ['-Xmx1g', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto', '-Xlog:disable'];
const FORMAT_MS = 60_000;
const STOP_MS = 15_000;

/** A Kafka id of 22 characters that never starts with - or _. */
export function randomId(): string {
  // Kafka's tools take a first - or _ for an option, which would happen one time in 64.
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  return bytes.toString('base64url');
}

/** Makes a broker's empty storage. options: of Kafka's storage tool. @throws RetryableError with the tool's output. */
export async function formatStorage(
  jvm: Jvm,
  config: string,
  clusterId: string,
  options: readonly string[],
): Promise<void> {
  const tool = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', config, ...options];
  const { code, output } = await runCommand(
    jvm.java,
    [...JVM_FLAGS, ...sharingFlags(jvm.archive), ...classPath(jvm), ...tool],
    FORMAT_MS,
  );
  if (code !== 0) {
    throw new RetryableError(
      'broker-start',
      `the broker's storage of ${config} can't be formatted: ${output}`,
    );
  }
}

/** One broker's process. It ends with our process, however ours ends. */
export class BrokerProcess {
  readonly #jvm: Jvm;
  readonly #config: string;
  readonly #logFile: string;
  #child: ChildProcess | undefined;

  constructor(jvm: Jvm, config: string, logFile: string) {
    this.#jvm = jvm;
    this.#config = config;
    this.#logFile = logFile;
  }

  /** Whether the process has ended or was never started. */
  get gone(): boolean {
    return this.#child === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** The path of the log and its last lines. */
  get lastWords(): string {
    const tail = readFileSync(this.#logFile, 'utf8').trim().split('\n').slice(-3).join(' | ');
    return `see ${this.#logFile}: ${tail}`;
  }

  /** Starts the process; `waitUntilReady` tells when the broker answers. */
  start(): void {
    const { archive, keep } = this.#jvm;
    const training = archive === undefined || existsSync(archive) ? undefined : `${archive}.${process.pid}`;
    const log = openSync(this.#logFile, 'a');
    const args = [...JVM_FLAGS, ...sharingFlags(archive, training), ...classPath(this.#jvm)];
    const started = spawn(this.#jvm.java, [...args, 'kafka.Kafka', this.#config], {
      stdio: ['ignore', log, log],
      // A separate process group: Ctrl-C reaches only our process, which then stops the broker cleanly.
      detached: true,
    });
    this.#child = started;
    const watchdog = keep ? undefined : watch(started);
    started.once('exit', () => {
      watchdog?.stdin?.end('ended\n');
      if (archive !== undefined && training !== undefined && existsSync(training)) {
        renameSync(training, archive);
      }
    });
    if (keep) started.unref();
  }

  /** Sends a signal that does not end the process, such as SIGSTOP. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Ends the process and waits for its end. Idempotent. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const running = this.#child;
    const gone = this.gone;
    this.#child = undefined;
    if (running === undefined || gone) return;
    const ended = new Promise<void>((done) => running.once('exit', () => done()));
    running.kill(signal);
    const timer = setTimeout(() => running.kill('SIGKILL'), STOP_MS);
    await ended;
    clearTimeout(timer);
  }
}

function classPath({ libs }: Jvm): string[] {
  return ['-cp', `${libs}/*`];
}

function sharingFlags(archive: string | undefined, training?: string): string[] {
  if (archive === undefined) return [];
  return [
    training === undefined ? `-XX:SharedArchiveFile=${archive}` : `-XX:ArchiveClassesAtExit=${training}`,
  ];
}

/**
 * Starts a shell that kills `child` when our process ends. The shell waits for a line on a pipe from our process: a clean
 * end sends the line, and any other end closes the pipe without it.
 */
function watch(child: ChildProcess): ChildProcess {
  const watchdog = spawn('sh', ['-c', 'read -r _ || kill -9 "$1"', 'sh', String(child.pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  watchdog.unref();
  return watchdog;
}

/** True once the cluster lists `nodes` brokers; false when `gone` or after `limitMs`. */
export async function waitUntilReady(
  brokers: string,
  limitMs: number,
  gone: () => boolean,
  nodes = 1,
): Promise<boolean> {
  const deadline = Date.now() + limitMs;
  const admin = new KafkaAdmin({ brokers: brokers.split(','), clientId: 'ready' });
  try {
    while (Date.now() < deadline && !gone()) {
      if (await answers(admin, nodes)) return true;
      await sleep(100);
    }
    return false;
  } finally {
    await admin.close();
  }
}

async function answers(admin: KafkaAdmin, nodes: number): Promise<boolean> {
  try {
    return (await admin.info()).nodes.length >= nodes;
  } catch (error) {
    if (error instanceof RetryableError) return false;
    throw error;
  }
}
