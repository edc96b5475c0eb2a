import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { type Broker, startBroker } from '../../broker/start.ts';
import { loadConfig } from '../../src/config/load.ts';
import { withSettings } from '../../src/config/overrides.ts';
import type { GraphConfig } from '../../src/config/resolve.ts';
import { measured, type Usage } from '../child.ts';

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

export interface UpdaterRun extends Run, z.infer<typeof stopped> {}

/** The Higgs stream in a topic of a broker of its own, and what reads it. */
export class HiggsTopic {
  readonly records: number;
  readonly work: string;
  readonly #broker: Broker;
  readonly #env: NodeJS.ProcessEnv;
  readonly #engagement: GraphConfig;

  private constructor(parts: { records: number; work: string; broker: Broker; engagement: GraphConfig }) {
    this.records = parts.records;
    this.work = parts.work;
    this.#broker = parts.broker;
    this.#env = envOf(parts.broker);
    this.#engagement = parts.engagement;
  }

  /** file: higgs-activity_time.txt.gz; limit: so many events of it. */
  static async start(
    file: string,
    limit: string | undefined,
    say: (line: string) => void,
  ): Promise<HiggsTopic> {
    const work = await mkdtemp(join(tmpdir(), 'twhin-e2e-bench-'));
    const broker = await startBroker({
      dir: join(work, 'broker'),
      env: { ...process.env, KAFKA_BROKERS: '' },
      onProgress: say,
    });
    const engagement = (await loadConfig({}, work)).graphs.find(({ name }) => name === 'engagement');
    if (engagement === undefined) throw new Error('there is no graph engagement');
    await measured([COMMAND, 'topics', 'apply'], envOf(broker));
    say('feeding');
    const feed = ['feed', file, '--topic', 'engagement', '--format', 'higgs', '--json'];
    const fed = await measured(
      [COMMAND, ...feed, ...(limit === undefined ? [] : ['--limit', limit])],
      envOf(broker),
    );
    return new HiggsTopic({ records: Number(JSON.parse(fed.stdout).sent), work, broker, engagement });
  }

  /** kafkajs, which reads all and does nothing. */
  async emptyHandler(): Promise<Run> {
    const script = join(import.meta.dirname, 'empty-handler.ts');
    const args = [script, this.#broker.brokers, 'twhin.engagement', `${this.records}`];
    const usage = await measured(args, this.#env);
    return { rate: Number(/"rate":([\d.]+)/.exec(usage.stderr)?.[1]), usage };
  }

  /** An updater of a graph like `engagement`, with a store, a group and an embeddings topic of its own. */
  async updater(
    name: string,
    settings: readonly string[],
    node: readonly string[] = [],
  ): Promise<UpdaterRun> {
    const config = join(this.work, `${name}.config.ts`);
    const { topics, model } = this.#engagement;
    const graph = {
      topics: topics.map((topic) => topic.name),
      relations: model.relations.map((each) => each.name),
    };
    const whole = withSettings({ graphs: { [name]: graph } }, settings);
    await writeFile(config, `export default () => (${JSON.stringify(whole)});\n`);
    const state = join(this.work, name);
    const usage = await measured(
      [...node, COMMAND, 'run', '--graph', name, '--until-caught-up', '--create-topics'],
      { ...this.#env, TWHIN_CONFIG: config, TWHIN_STATE: state },
    );
    await rm(state, { recursive: true });
    const lineOf = (message: string) =>
      JSON.parse(usage.stderr.split('\n').find((line) => line.includes(`"msg":"${message}"`)) ?? '{}');
    const seconds = (lineOf('stopped').time - lineOf('leads the graph').time) / 1000;
    return { rate: this.records / seconds, usage, ...stopped.parse(lineOf('stopped')) };
  }

  async stop(): Promise<void> {
    await this.#broker.stop();
    await rm(this.work, { recursive: true, force: true });
  }
}

function envOf({ brokers }: Broker): NodeJS.ProcessEnv {
  return { ...process.env, KAFKA_BROKERS: brokers, TWHIN_HTTP: 'off' };
}
