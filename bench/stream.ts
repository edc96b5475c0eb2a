import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { loadConfig } from '../src/config/load.ts';
import type { GraphConfig } from '../src/config/resolve.ts';
import { eventsOf, feed, type Source } from './events.ts';
import type { Figures, Here } from './harness.ts';
import { COMMAND, configFile, findLine, type LogLine, ran, type Usage } from './process.ts';

/** Columns of a run from a topic to published vectors. */
export const WAY = {
  rate: 'events/s',
  read: 'events/s until all is read',
  cpu: 'µs of CPU an event',
  memory: 'MiB at the peak',
  published: 'vectors an event',
} as const;
/** What the peer has not. */
export const OURS = {
  written: 'bytes on disk an event',
  known: 'MRR, both known',
  fresh: 'MRR, one new',
} as const;

const quality = z.object({ mrr: z.number() });
const exchanged = z.object({
  ...{ sentGradients: z.number(), sentVectors: z.number(), sentBytes: z.number(), copies: z.number() },
  vectorAgeMs: z.object({ p99: z.number().optional() }),
});
/** What the log's line says of a graph or a shard whose updater has stopped. */
export const stopped = z.object({
  published: z.number(),
  /** Of each next edge before it is learned: of ends trained before, and of others. */
  known: quality.optional(),
  fresh: quality.optional(),
  exchange: exchanged.optional(),
});

const peerFigures = z.object({
  rate: z.number(),
  readRate: z.number(),
  published: z.number(),
  cpu: z.number(),
  rss: z.number(),
});

/** Where the events of a stream are, and what reads them there. */
interface Place {
  /** Records by topic. */
  readonly topics: Readonly<Record<string, number>>;
  readonly engagement: GraphConfig;
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
}

let made = 0;

/** A stream of events in topics of its own, and what reads it. */
export class Stream {
  /** That a graph like `engagement` reads. */
  readonly records: number;
  readonly #at: Place;

  private constructor(at: Place) {
    this.records = Object.values(at.topics).reduce((sum, of) => sum + of, 0);
    this.#at = at;
  }

  /** embedded: in a log of files, which is always there to be read, instead of on a broker. */
  static async start(
    here: Pick<Here, 'broker' | 'folder' | 'say'>,
    source: Source,
    { embedded = false } = {},
  ): Promise<Stream> {
    const folder = await here.folder();
    const address = embedded ? `file:${join(folder, 'log')}` : await here.broker();
    const prefix = `bench-${process.pid}-${++made}.`;
    const env = { ...process.env, KAFKA_BROKERS: address, TWHIN_TOPIC_PREFIX: prefix, TWHIN_HTTP: 'off' };
    const engagement = (await loadConfig({}, folder)).graphs.find(({ name }) => name === 'engagement');
    if (engagement === undefined) throw new Error('there is no graph engagement');
    await ran([COMMAND, 'topics', 'apply'], env);
    here.say('feeding');
    const topics = await feed(address, prefix, engagement, eventsOf(source));
    return new Stream({ topics, engagement, folder, env });
  }

  /** The pipeline of bench/peers on the one topic that has events. */
  async peer(python: string, updates: number, threads: number): Promise<Figures> {
    const { topics, folder, env } = this.#at;
    const [topic = '', records = 0] = Object.entries(topics)[0] ?? [];
    const out = `${topic}.peer-${++made}`;
    const store = join(folder, `peer-${made}`);
    const script = join(import.meta.dirname, 'peers', 'pipeline.py');
    const given = { brokers: env['KAFKA_BROKERS'] ?? '', topic, out, store, records, updates, threads };
    const args = Object.entries(given).flatMap(([key, value]) => [`--${key}`, `${value}`]);
    const { stdout } = await promisify(execFile)(python, [script, ...args]);
    await rm(store, { recursive: true });
    const { rate, readRate, published, ...usage } = peerFigures.parse(JSON.parse(stdout));
    const paces = { [WAY.rate]: rate, [WAY.read]: readRate, [WAY.published]: published / records };
    return { ...paces, ...this.#costOf(usage) };
  }

  /**
   * An updater of a graph like `engagement`, with a store, a group and an embeddings topic of its own, until the vectors that moved
   * too little to be published are published too.
   */
  async updater(settings: readonly string[]): Promise<Figures> {
    const usage = await this.#onGraph(settings, (graph, env) =>
      ran([COMMAND, 'run', '--graph', graph, '--until-caught-up', '--create-topics'], env),
    );
    const { published, known, fresh } = stopped.parse(lineOf(usage, 'stopped'));
    return {
      [WAY.rate]: this.#rate(usage, 'leads the graph', 'stopped'),
      [WAY.read]: this.#rate(usage, 'leads the graph', 'reading has ended'),
      [WAY.published]: published / this.records,
      ...this.#costOf(usage),
      [OURS.known]: known?.mrr ?? Number.NaN,
      [OURS.fresh]: fresh?.mrr ?? Number.NaN,
    };
  }

  /** The shards of a graph like `engagement`, in one process or in a process each, from their starts until each has caught up. */
  shards(settings: readonly string[], count: number, apart: boolean): Promise<readonly Usage[]> {
    return this.#onGraph([...settings, `graphs.GRAPH.shards=${count}`], async (graph, env) => {
      await ran([COMMAND, 'topics', 'apply'], env);
      const names = apart && count > 1 ? Array.from({ length: count }, (_, i) => `${graph}-${i}`) : [graph];
      return Promise.all(
        names.map((name) => ran([COMMAND, 'run', '--graph', name, '--until-caught-up'], env)),
      );
    });
  }

  /** A replay of all of it, of a graph like `engagement`, until all is committed. */
  async replay(settings: readonly string[]): Promise<Figures> {
    const usage = await this.#onGraph(settings, (graph, env) =>
      ran([COMMAND, 'replay', '--graph', graph, '--into', 'shadow'], env),
    );
    const ended = 'all committed; waiting for the last vectors to be acknowledged';
    return { [WAY.rate]: this.#rate(usage, 'store is new', ended), ...this.#costOf(usage) };
  }

  /** Does something where there is such a graph, with nothing of it before and nothing left of it. */
  async #onGraph<T>(
    settings: readonly string[],
    work: (graph: string, env: NodeJS.ProcessEnv) => Promise<T>,
  ): Promise<T> {
    const name = `bench${++made}`;
    const { engagement, folder, env } = this.#at;
    const { topics, model } = engagement;
    const graph = {
      topics: topics.map((topic) => topic.name),
      relations: model.relations.map((each) => each.name),
    };
    const named = settings.map((each) => each.replace('GRAPH', name));
    const config = await configFile(folder, { graphs: { [name]: graph } }, named);
    const state = join(folder, name);
    try {
      return await work(name, { ...env, TWHIN_CONFIG: config, TWHIN_STATE: state });
    } finally {
      await rm(state, { recursive: true, force: true });
    }
  }

  /** Events a second between two lines of the log. */
  #rate(usage: Usage, from: string, to: string): number {
    return (1000 * this.records) / (lineOf(usage, to).time - lineOf(usage, from).time);
  }

  #costOf({ cpu, rss, written = Number.NaN }: { cpu: number; rss: number; written?: number }): Figures {
    const [micros, MiB] = [(1e6 * cpu) / this.records, rss / 2 ** 20];
    return { [WAY.cpu]: micros, [WAY.memory]: MiB, [OURS.written]: written / this.records };
  }
}

/** @throws naming a line that the log lacks. */
function lineOf({ stderr }: Usage, message: string): LogLine {
  const found = findLine(stderr, message);
  if (found === undefined) throw new Error(`the log has no line "${message}":\n${stderr.slice(-4000)}`);
  return found;
}
