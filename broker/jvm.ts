import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, openSync, readFileSync, renameSync } from 'node:fs';
import { RetryableError } from '../src/errors/errors.ts';
import { runCommand } from './command.ts';

/** What runs a broker. */
export interface Jvm {
  readonly java: string;
  readonly libs: string;
  /** Where the JVM keeps its loaded classes between runs, which halves the start; made by the first clean stop. */
  readonly archive?: string;
  /** Outlives the process that started it. */
  readonly keep?: boolean;
}

/** One processor's worth of compiler and collector: starts twice as fast, and 256 MB is plenty for one broker. */
const JVM_FLAGS = [
  '-Xmx256m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Xshare:auto',
  '-Xlog:disable',
];
const FORMAT_MS = 60_000;
const STOP_MS = 15_000;

/** An identity as Kafka writes it: 22 characters, none of which is taken for an option at the front. */
export function randomId(): string {
  // A first character of - or _ would be taken for an option, about one time in 64.
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  return bytes.toString('base64url');
}

/** Makes a broker's empty storage. options: of Kafka's storage tool. @throws RetryableError with what it said. */
export async function formatStorage(
  jvm: Jvm,
  config: string,
  clusterId: string,
  options: readonly string[],
): Promise<void> {
  const tool = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', config, ...options];
  const { code, output } = await runCommand(jvm.java, [...JVM_FLAGS, ...classPath(jvm), ...tool], FORMAT_MS);
  if (code !== 0) {
    throw new RetryableError(
      'broker-start',
      `the broker's storage of ${config} can't be formatted: ${output}`,
    );
  }
}

/** One broker's process, which ends with ours, however ours ends. */
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

  /** Whether it ended, or was never started. */
  get gone(): boolean {
    return this.#child === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** The last lines of its log, and where that is. */
  get lastWords(): string {
    const tail = readFileSync(this.#logFile, 'utf8').trim().split('\n').slice(-3).join(' | ');
    return `see ${this.#logFile}: ${tail}`;
  }

  /** Starts it; that it takes work is for the caller to find out. */
  start(): void {
    const { archive, keep } = this.#jvm;
    const training = archive === undefined || existsSync(archive) ? undefined : `${archive}.${process.pid}`;
    const log = openSync(this.#logFile, 'a');
    const args = [...JVM_FLAGS, ...sharingFlags(archive, training), ...classPath(this.#jvm)];
    const started = spawn(this.#jvm.java, [...args, 'kafka.Kafka', this.#config], {
      stdio: ['ignore', log, log],
      // Its own process group: Ctrl-C is for us, and we stop it in good order.
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
    if (keep) {
      started.unref();
    }
  }

  /** Sends a signal that it goes on after, such as SIGSTOP. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Resolves once it is gone. Idempotent. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const running = this.#child;
    const gone = this.gone;
    this.#child = undefined;
    if (running === undefined || gone) {
      return;
    }
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

function sharingFlags(archive: string | undefined, training: string | undefined): string[] {
  if (archive === undefined) {
    return [];
  }
  return [
    training === undefined ? `-XX:SharedArchiveFile=${archive}` : `-XX:ArchiveClassesAtExit=${training}`,
  ];
}

/**
 * A shell that kills `child` when this process is gone, however it went: the pipe between them then ends without
 * the word that lets it go.
 */
function watch(child: ChildProcess): ChildProcess {
  const watchdog = spawn('sh', ['-c', 'read -r _ || kill -9 "$1"', 'sh', String(child.pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  watchdog.unref();
  return watchdog;
}
