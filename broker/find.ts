import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fetchJars, readJars } from './jars.ts';
import { runCommand } from './process.ts';

/** The ways to a broker. */
export type BrokerOrigin =
  | { readonly source: 'KAFKA_BROKERS'; readonly brokers: string }
  | { readonly source: 'KAFKA_HOME' | 'jars'; readonly java: string; readonly libs: string }
  | { readonly source: 'docker'; readonly composeFile: string };

export interface Finding {
  /** undefined: no way works here. */
  readonly origin: BrokerOrigin | undefined;
  /** Why each way that was not taken failed, one line each. */
  readonly reasons: readonly string[];
}

export interface FindOptions {
  /** The checkout with docker-compose.yml and broker/pom.xml; fetched jars go to its .twhin/kafka. */
  readonly root?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly onProgress?: (line: string) => void;
  /** Only a broker whose process and files are ours: KAFKA_HOME or jars. */
  readonly jarsOnly?: boolean;
}

const JAVA_MIN = 17;
const CHECKOUT = dirname(import.meta.dirname);

/** The first way that works: KAFKA_BROKERS, KAFKA_HOME, docker compose, jars. */
export async function findBroker(options: FindOptions = {}): Promise<Finding> {
  const { root = CHECKOUT, env = process.env, onProgress = () => undefined, jarsOnly = false } = options;
  const reasons: string[] = [];
  const brokers = env['KAFKA_BROKERS'];
  if (!jarsOnly) {
    if (brokers !== undefined && brokers !== '') {
      return { origin: { source: 'KAFKA_BROKERS', brokers }, reasons };
    }
    reasons.push('KAFKA_BROKERS is not set');
  }

  const java = await findJava(env);
  const home = env['KAFKA_HOME'];
  if (home === undefined || home === '') {
    reasons.push('KAFKA_HOME is not set');
  } else if (!existsSync(join(home, 'libs'))) {
    reasons.push(`KAFKA_HOME is ${home}, which has no libs folder`);
  } else if ('problem' in java) {
    reasons.push(`KAFKA_HOME is set, but ${java.problem}`);
  } else {
    return { origin: { source: 'KAFKA_HOME', java: java.path, libs: join(home, 'libs') }, reasons };
  }

  const composeFile = join(root, 'docker-compose.yml');
  if (!jarsOnly) {
    const docker = await dockerProblem(composeFile);
    if (docker === undefined) {
      return { origin: { source: 'docker', composeFile }, reasons };
    }
    reasons.push(`docker compose: ${docker}`);
  }

  if ('problem' in java) {
    reasons.push(`jars: ${java.problem}`);
    return { origin: undefined, reasons };
  }
  const libs = join(root, '.twhin', 'kafka', 'libs');
  const pom = join(root, 'broker', 'pom.xml');
  const jars = readJars(join(root, 'broker', 'jars.sha256'));
  const missing = await fetchJars({ libs, jars, pom, env, onProgress });
  if (missing !== undefined) {
    reasons.push(`jars: ${missing}`);
    return { origin: undefined, reasons };
  }
  return { origin: { source: 'jars', java: java.path, libs }, reasons };
}

async function findJava(env: NodeJS.ProcessEnv): Promise<{ path: string } | { problem: string }> {
  const home = env['JAVA_HOME'];
  const path = home === undefined || home === '' ? 'java' : join(home, 'bin', 'java');
  const { code, output } = await runCommand(path, ['-version'], 10_000);
  if (code !== 0) {
    return { problem: `no Java: ${firstLine(output)}` };
  }
  const major = Number(/version "(\d+)/.exec(output)?.[1] ?? 0);
  return major >= JAVA_MIN ? { path } : { problem: `Java ${major} is too old, ${JAVA_MIN} is needed` };
}

async function dockerProblem(composeFile: string): Promise<string | undefined> {
  if (!existsSync(composeFile)) {
    return `no ${composeFile}`;
  }
  const compose = await runCommand('docker', ['compose', 'version'], 5000);
  if (compose.code !== 0) {
    return firstLine(compose.output);
  }
  const engine = await runCommand('docker', ['info', '--format', '{{.ServerVersion}}'], 5000);
  return engine.code === 0 ? undefined : `no engine answers: ${lastLine(engine.output)}`;
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}

function lastLine(text: string): string {
  return text.split('\n').at(-1) ?? '';
}
