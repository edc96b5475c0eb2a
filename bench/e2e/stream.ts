import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { startBroker } from '../../broker/start.ts';
import { loadConfig } from '../../src/config/load.ts';
import { withSettings } from '../../src/config/overrides.ts';
import type { GraphConfig } from '../../src/config/resolve.ts';
import { fullName } from '../../topics/index.ts';
import { measured, type Usage } from '../child.ts';
import { type Contents, fill } from './fill.ts';

const COMMAND = join(import.meta.dirname, '..', '..', 'bin', 'twhin.js');

const quality = z.object({ mrr: z.number(), popularityMrr: z.number() });
/** What the log's line says of a graph whose updater has stopped. */
const stopped = z.object({
  published: z.number(),
  /** Of each next edge before it is learned, the last hundred batches: of ends trained before, and of others. */
  known: quality.optional(),
  fresh: quality.optional(),
});

/** One run through a topic. */
export interface Run {
  /** Events a second. */
  readonly rate: number;
  readonly usage: Usage;
}

export interface UpdaterRun extends Run, z.infer<typeof stopped> {
  /** Events a second until the last was read, before what had moved too little to be published was. */
  readonly readRate: number;
}

/** A stream of events in the topics of a broker of its own, and what reads it. */
export class Stream {
  /** That a graph like `engagement` reads. */
  readonly records: number;
  readonly work: string;
  readonly #address: string;
  readonly #engagement: GraphConfig;
  readonly #topics: readonly string[];
  readonly #end: () => Promise<void>;

  private constructor(parts: {
    records: number;
    topics: readonly string[];
    work: string;
    address: string;
    engagement: GraphConfig;
    end: () => Promise<void>;
  }) {
    this.records = parts.records;
    this.#topics = parts.topics;
    this.work = parts.work;
    this.#address = parts.address;
    this.#engagement = parts.engagement;
    this.#end = parts.end;
  }

  /** embedded: a log of files instead of a broker. */
  static async start(
    contents: Contents,
    { embedded, say }: { embedded: boolean; say: (line: string) => void },
  ): Promise<Stream> {
    const work = await mkdtemp(join(tmpdir(), 'twhin-e2e-bench-'));
    const [address, stop] = embedded ? [`file:${join(work, 'log')}`] : await brokerIn(work, say);
    const end = async () => {
      await stop?.();
      await rm(work, { recursive: true, force: true });
    };
    const engagement = (await loadConfig({}, work)).graphs.find(({ name }) => name === 'engagement');
    if (engagement === undefined) throw new Error('there is no graph engagement');
    await measured([COMMAND, 'topics', 'apply'], envOf(address));
    say('feeding');
    const filled = await fill(contents, { address, command: COMMAND, work });
    const topics = engagement.topics.map((topic) => fullName('twhin.', topic));
    const read = Object.entries(filled.records).filter(([topic]) => topics.includes(topic));
    const records = read.reduce((sum, [, of]) => sum + of, 0);
    return new Stream({ records, topics: read.map(([topic]) => topic), work, address, engagement, end });
  }

  /** kafkajs, which reads all and does nothing. */
  async emptyHandler(): Promise<Run> {
    const script = join(import.meta.dirname, 'empty-handler.ts');
    const args = [script, this.#address, this.#topics.join(','), `${this.records}`];
    const usage = await measured(args, envOf(this.#address));
    return { rate: Number(/"rate":([\d.]+)/.exec(usage.stderr)?.[1]), usage };
  }

  /** An updater of a graph like `engagement`, with a store, a group and an embeddings topic of its own. */
  async updater(
    name: string,
    settings: readonly string[],
    { node = [], command = COMMAND }: { node?: readonly string[]; command?: string } = {},
  ): Promise<UpdaterRun> {
    const usage = await this.#onGraph(
      name,
      settings,
      [command, 'run', '--graph', name, '--until-caught-up', '--create-topics'],
      node,
    );
    const rateUntil = (message: string) => this.#rate(usage, 'leads the graph', message);
    const rates = { rate: rateUntil('stopped'), readRate: rateUntil('reading has ended') };
    return { ...rates, usage, ...stopped.parse(lineOf(usage, 'stopped')) };
  }

  /** The shards of a graph like `engagement`, a process for each, from their starts until each has caught up. */
  shards(name: string, settings: readonly string[], count: number): Promise<readonly Usage[]> {
    return this.#withGraph(name, settings, async (env) => {
      await measured([COMMAND, 'topics', 'apply'], env);
      const shard = (index: number) =>
        measured([COMMAND, 'run', '--graph', `${name}-${index}`, '--until-caught-up'], env);
      return Promise.all(Array.from({ length: count }, (_, index) => shard(index)));
    });
  }

  /** A replay of all of it, of a graph like `engagement`, until all is committed. */
  async replay(name: string, settings: readonly string[]): Promise<Run> {
    const usage = await this.#onGraph(name, settings, [
      ...[COMMAND, 'replay', '--graph', name, '--into', 'shadow'],
    ]);
    const ended = 'all committed; waiting for the last vectors to be acknowledged';
    return { rate: this.#rate(usage, 'store is new', ended), usage };
  }

  #onGraph(
    name: string,
    settings: readonly string[],
    command: readonly string[],
    node: readonly string[] = [],
  ): Promise<Usage> {
    return this.#withGraph(name, settings, (env) => measured([...node, ...command], env));
  }

  /** Does something where there is such a graph, with nothing of it before and nothing left of it. */
  async #withGraph<T>(
    name: string,
    settings: readonly string[],
    work: (env: NodeJS.ProcessEnv) => Promise<T>,
  ): Promise<T> {
    const config = join(this.work, `${name}.config.ts`);
    const { topics, model } = this.#engagement;
    const graph = {
      topics: topics.map((topic) => topic.name),
      relations: model.relations.map((each) => each.name),
    };
    const whole = withSettings({ graphs: { [name]: graph } }, settings);
    await writeFile(config, `export default () => (${JSON.stringify(whole)});\n`);
    const state = join(this.work, name);
    const env = { ...envOf(this.#address), TWHIN_CONFIG: config, TWHIN_STATE: state };
    const done = await work(env);
    await rm(state, { recursive: true });
    return done;
  }

  /** Events a second between two lines of the log. */
  #rate(usage: Usage, from: string, to: string): number {
    return (1000 * this.records) / (lineOf(usage, to).time - lineOf(usage, from).time);
  }

  stop(): Promise<void> {
    return this.#end();
  }
}

async function brokerIn(work: string, say: (line: string) => void): Promise<[string, () => Promise<void>]> {
  const broker = await startBroker({
    dir: join(work, 'broker'),
    env: { ...process.env, KAFKA_BROKERS: '' },
    onProgress: say,
  });
  return [broker.brokers, () => broker.stop()];
}

function lineOf({ stderr }: Usage, message: string) {
  return JSON.parse(stderr.split('\n').find((line) => line.includes(`"msg":"${message}"`)) ?? '{}');
}

function envOf(address: string): NodeJS.ProcessEnv {
  return { ...process.env, KAFKA_BROKERS: address, TWHIN_HTTP: 'off' };
}
