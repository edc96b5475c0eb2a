import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endsOnceLed } from '../e2e/topic-ends.ts';
import { readLog } from '../e2e/topic-reader.ts';
import { type CommandOptions, HANGS_MS, type Running, Twhin, until, well } from '../e2e/twhin.ts';
import type { Dice } from './dice.ts';
import { type FailpointInput, SESSION_MS, withFailpoints } from './failpoints/plan.ts';
import { Feeder } from './load/feeder.ts';
import { Load, type LoadOptions, MIXED } from './load/load.ts';
import { type HeadJson, readHeadBytes, readStoreBytes, type StoreBytes } from './verifier/store-bytes.ts';
import { GRAPHS, type GraphName } from './verifier/truth.ts';
import { type Deployment, databaseOf, type Verified, verify } from './verifier/verify.ts';

/** The command line with failpoints. */
export const COMMAND = join(import.meta.dirname, 'failpoints', 'main.ts');
/** A broker of the suite takes sessions this short, so that a killed reader's group is free again soon. */
const SHORT_SESSION_MS = 3_000;
const UNTIL_KILLED_RATE = 300;

/** A small model and many small commits: what is tested is the moving of bytes, and each moment of it comes up soon. */
export const MANY_COMMITS = `
  model: { dim: 16 },
  training: { batchEdges: 64, chunkEdges: 32, uniformNegatives: 16, evaluatedEdges: 0, lingerMs: 20 },
  commit: { everyEdges: 256, everyMs: 50 },
  publish: { epsilon: 0.01 },
  limits: { maxEntities: 100_000, maxKnownEdges: 1_000_000 },`;

/** A checkpoint after every few commits. */
export const MANY_CHECKPOINTS = MANY_COMMITS.replace('commit: {', 'commit: { recoverMs: 1,');

export interface DeployOptions {
  /** Where load and verifier reach the brokers. */
  readonly brokers: string;
  /** Where the updater does, if not there: the address of a proxy. */
  readonly through?: string;
  readonly dice: Dice;
  readonly load?: LoadOptions;
  readonly config?: string;
  readonly graphs?: readonly GraphName[];
  /** The group's session; short unless said. */
  readonly sessionMs?: number;
}

export interface RunOptions extends CommandOptions {
  /** As an operator runs it: no debug lines, no stack traces. */
  readonly terse?: boolean;
  /** Names after --graph; the deployment's graphs unless given. */
  readonly graphs?: readonly string[];
}

let latest: Running | undefined;

/** What the updater that was started last said last: for a test that failed. */
export function lastWords(): string {
  if (latest === undefined) return 'no updater was started';
  const lines = latest.stderr.split('\n').filter((line) => !line.includes('"msg":"progress"'));
  return `the last updater ${latest.over ? 'ended' : 'runs'}; it said:\n${lines.join('\n').slice(-5000)}`;
}

/** A deployment under faults: a load on its topics, updaters that come and go, and the verifier at the end. */
export class Faulty {
  readonly twhin: Twhin;
  readonly feeder: Feeder;
  readonly graphs: readonly GraphName[];
  readonly brokers: string;

  private constructor(twhin: Twhin, feeder: Feeder, options: DeployOptions) {
    this.twhin = twhin;
    this.feeder = feeder;
    this.brokers = options.brokers;
    this.graphs = options.graphs ?? ['engagement', 'follow'];
  }

  static async deploy(options: DeployOptions): Promise<Faulty> {
    const { brokers, through = brokers, dice, sessionMs = SHORT_SESSION_MS } = options;
    const twhin = await Twhin.create(through, options.config ?? MANY_COMMITS);
    twhin.env[SESSION_MS] = String(sessionMs);
    await twhin.ok(['topics', 'apply'], { env: { KAFKA_BROKERS: brokers } });
    const load = new Load(dice.fork(), options.load ?? MIXED);
    return new Faulty(twhin, new Feeder(brokers, twhin.prefix, load), options);
  }

  get state(): string {
    return this.twhin.env['TWHIN_STATE'] ?? '';
  }

  /** The same topics with stores of their own: another process's, on another machine as it were. */
  elsewhere(name: string): Elsewhere {
    const state = join(this.twhin.folder, name);
    return { state, env: { TWHIN_STATE: state } };
  }

  /** Starts the updaters, with failpoints where `env` has some. */
  run(args: readonly string[] = [], options: RunOptions = {}): Running {
    latest = this.twhin.start(
      [
        ...(options.terse === true ? [] : ['--verbose']),
        'run',
        ...(options.graphs ?? this.graphs).flatMap((name) => ['--graph', name]),
        ...args,
      ],
      {
        ...options,
        command: COMMAND,
      },
    );
    return latest;
  }

  /** Runs under load until a failpoint kills it. @throws when it ends otherwise, or none does in time. */
  async runUntilKilled(failpoint: FailpointInput): Promise<void> {
    // Something to read and to write at all times, so that each place comes up again and again.
    this.feeder.start(UNTIL_KILLED_RATE);
    const running = this.run([], { env: withFailpoints(failpoint) });
    const { code, signal, stderr } = await running.endsWithin(HANGS_MS, 'SIGTERM');
    await this.feeder.stop();
    if (signal !== 'SIGKILL')
      throw new Error(`not killed, but ended with ${code ?? signal}:\n${stderr.slice(-4000)}`);
  }

  /** Runs to the end of what is there. @throws when that fails. */
  async catchUp(options: RunOptions = {}): Promise<void> {
    well(await this.run(['--until-caught-up'], options).endsWithin(options.limitMs));
  }

  /** Replays a graph into a store beside the live one; gives what the replay says of it. */
  async replay(graph: GraphName, into: string, ...args: readonly string[]): Promise<Replayed> {
    const said = await this.twhin.ok(['replay', '--graph', graph, '--into', into, '--json', ...args]);
    const { digest, events } = JSON.parse(said.trim().split('\n').at(-1) ?? '');
    return { digest, events };
  }

  /** Every number of the graphs' stores and topics, compared with what was sent. @throws when anything differs. */
  verify(options: Partial<Deployment> = {}): Promise<Verified> {
    return verify({
      brokers: this.brokers,
      prefix: this.twhin.prefix,
      state: this.state,
      graphs: this.graphs,
      made: this.feeder.made,
      acknowledged: this.feeder.acknowledged,
      ...options,
    });
  }

  /** A graph's store as it is on disk; undefined before its first commit. Beside a running updater too. */
  async stored(graph: GraphName = 'engagement', state = this.state): Promise<StoreBytes | undefined> {
    return beside(() => readStoreBytes(databaseOf(state, graph)));
  }

  /** Its head alone. */
  async head(graph: GraphName = 'engagement', state = this.state): Promise<HeadJson | undefined> {
    return beside(() => readHeadBytes(databaseOf(state, graph)));
  }

  /** Records that the graph's store has counted. */
  async consumed(graph: GraphName = 'engagement'): Promise<number> {
    return (await this.head(graph))?.events.consumed ?? 0;
  }

  /** Acknowledged records of the graph's topics. */
  fed(graph: GraphName = 'engagement'): number {
    const topics: readonly string[] = GRAPHS[graph].topics;
    const { made, acknowledged } = this.feeder;
    return made.filter(({ n, topic }) => acknowledged.has(n) && topics.includes(topic)).length;
  }

  /** Waits until the graph's store has counted more than it has now. */
  async progresses(graph: GraphName = 'engagement'): Promise<void> {
    const before = await this.consumed(graph);
    await until('progress', async () => (await this.consumed(graph)) > before);
  }

  /** Waits until every acknowledged record is in the stores and every vector in the topics. */
  async caughtUp(): Promise<void> {
    const rests = async (graph: GraphName) => {
      const head = await this.head(graph);
      return head !== undefined && head.events.consumed >= this.fed(graph) && head.outbox === 0;
    };
    await until('everything consumed and published', async () =>
      (await Promise.all(this.graphs.map(rests))).every(Boolean),
    );
  }

  /** Offsets of the embeddings topics, summed up: how much was ever published. */
  async published(): Promise<number> {
    let published = 0;
    for (const graph of this.graphs) {
      const ends = await endsOnceLed(this.brokers, this.twhin.topic(`embeddings.${graph}`));
      // Brokers that can't be asked have nothing new.
      if (ends === undefined) return 0;
      for (const end of ends.values()) published += end;
    }
    return published;
  }

  /** Entities of the stores of which the topics hold no vector; the first few. */
  async unpublished(): Promise<string[]> {
    const missing: string[] = [];
    for (const graph of this.graphs) {
      const { records } = await readLog(this.brokers, [this.twhin.topic(`embeddings.${graph}`)]);
      const published = new Set(records.filter(({ value }) => value !== null).map(({ key }) => key));
      for (const name of (await this.stored(graph))?.entities.keys() ?? []) {
        if (!published.has(name)) missing.push(`${graph}: ${name}`);
      }
    }
    return missing.slice(0, 10);
  }

  async remove(): Promise<void> {
    await this.feeder.close();
    await this.twhin.remove();
  }
}

export interface Replayed {
  readonly digest: { readonly edges: string; readonly vectors: string };
  readonly events: number;
}

/** Where another process of a deployment has its stores. */
export interface Elsewhere {
  readonly state: string;
  readonly env: Readonly<Record<string, string>>;
}

/** What `read` gives beside a writer; undefined where there is nothing to read. */
export async function beside<T>(read: () => Promise<T>): Promise<T | undefined> {
  for (let attempt = 1; attempt <= 5; attempt++) {
    try {
      return await read();
    } catch {
      // Not there yet, or a file was compacted away while it was opened.
      await sleep(20 * attempt);
    }
  }
  return undefined;
}
