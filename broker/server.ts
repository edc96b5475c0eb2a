import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, openSync, readFileSync, renameSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { RetryableError } from '../src/errors.ts';
import { runCommand } from './command.ts';
import { freePorts, serverProperties } from './properties.ts';
import { waitUntilReady } from './ready.ts';

export interface JarBroker {
  /** host:port, the same after a restart. */
  readonly brokers: string;
  /** Ends it in good order. Idempotent. */
  stop(): Promise<void>;
  /** Ends it as a crash would: SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again on the same ports and data, after `stop` or `kill`. */
  restart(): Promise<void>;
}

export interface JarOptions {
  readonly java: string;
  readonly libs: string;
  /** Holds properties, data and log of this broker; made when missing. */
  readonly dir: string;
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
const READY_MS = 60_000;
const STOP_MS = 15_000;

/** Starts a broker of its own from jars and waits until it answers. @throws RetryableError naming its log file. */
export async function startFromJars(options: JarOptions): Promise<JarBroker> {
  const dir = resolve(options.dir);
  const config = join(dir, 'server.properties');
  const logFile = join(dir, 'broker.log');
  const ports = await freePorts();
  const brokers = `127.0.0.1:${ports.broker}`;
  const classPath = join(options.libs, '*');
  await mkdir(dir, { recursive: true });
  await writeFile(config, serverProperties(ports, join(dir, 'data')));
  if (!existsSync(join(dir, 'data', 'meta.properties'))) {
    // A first character of - or _ would be taken for an option, about one time in 64.
    const bytes = randomBytes(16);
    bytes[0] = (bytes[0] ?? 0) & 0x7f;
    const id = bytes.toString('base64url');
    const format = ['kafka.tools.StorageTool', 'format', '-t', id, '-c', config, '--standalone'];
    const done = await runCommand(options.java, [...JVM_FLAGS, '-cp', classPath, ...format], READY_MS);
    if (done.code !== 0) {
      throw new RetryableError(
        'broker-start',
        `the broker's storage in ${dir} can't be formatted: ${done.output}`,
      );
    }
  }

  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    const { archive } = options;
    const training = archive === undefined || existsSync(archive) ? undefined : `${archive}.${process.pid}`;
    const sharing = sharingFlags(archive, training);
    const log = openSync(logFile, 'a');
    const started = spawn(options.java, [...JVM_FLAGS, ...sharing, '-cp', classPath, 'kafka.Kafka', config], {
      stdio: ['ignore', log, log],
      // Its own process group: Ctrl-C is for us, and we stop it in good order.
      detached: true,
    });
    child = started;
    const watchdog = options.keep ? undefined : watch(started);
    started.once('exit', () => {
      watchdog?.stdin?.end('ended\n');
      if (archive !== undefined && training !== undefined && existsSync(training)) {
        renameSync(training, archive);
      }
    });
    if (options.keep) {
      started.unref();
    }
    if (!(await waitUntilReady(brokers, READY_MS, () => started.exitCode !== null))) {
      started.kill('SIGKILL');
      const tail = readFileSync(logFile, 'utf8').trim().split('\n').slice(-3).join(' | ');
      throw new RetryableError(
        'broker-start',
        `the broker at ${brokers} did not start; see ${logFile}: ${tail}`,
      );
    }
  };
  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) {
      return;
    }
    const ended = new Promise<void>((done) => running.once('exit', () => done()));
    running.kill(signal);
    const timer = setTimeout(() => running.kill('SIGKILL'), STOP_MS);
    await ended;
    clearTimeout(timer);
  };
  await start();
  return { brokers, stop: () => end('SIGTERM'), kill: () => end('SIGKILL'), restart: start };
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
