import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { connect, type Log as EventLog } from '../src/adapters/connect.ts';
import { composeUpdater } from '../src/cli/compose.ts';
import { report, terminal } from '../src/cli/output.ts';
import { declaredTopics } from '../src/config/declared-topics.ts';
import { loadConfig } from '../src/config/load.ts';
import type { Config } from '../src/config/resolve.ts';
import { silentLog } from '../src/log.ts';
import type { Updater } from '../src/pipeline/updater.ts';
import { embeddingsName, topicName } from '../topics/index.ts';
import { type Fed, feedWorld } from './feeding.ts';
import { DemoMeter } from './meter.ts';
import { HELP, readOptions } from './options.ts';
import { findPlace, type Place } from './place.ts';
import { reportLines } from './report.ts';
import { findPlanted } from './truth.ts';
import { readUserVectors } from './vectors.ts';
import { type DemoPhase, LiveView } from './view.ts';
import { createWorld } from './world.ts';

const SHOW_MS = 500;
const SAME_SIGNAL_MS = 300;

/** The demo from nothing to its report; resolves to the exit code. */
async function demo(argv: readonly string[]): Promise<number> {
  const options = readOptions(argv);
  if (options.help) {
    terminal.out(HELP);
    return 0;
  }
  const root = dirname(import.meta.dirname);
  process.chdir(root);
  const view = new LiveView(process.stdout);
  const stopping = new AbortController();
  const start = performance.now();
  let signalled = 0;
  const onSignal = () => {
    // One signal to a whole process group can arrive twice: by itself and passed on by the parent.
    if (stopping.signal.aborted && performance.now() - signalled < SAME_SIGNAL_MS) return;
    if (stopping.signal.aborted) process.exit(130);
    signalled = performance.now();
    view.say('Stopping; Ctrl-C again ends at once.');
    stopping.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);

  const place = await findPlace(root, options, (line) => view.say(line));
  const session = new Session(place, await loadConfig({ ...process.env, ...place.env }, root));
  try {
    const world = createWorld({ seed: options.seed, events: options.events });
    const meter = new DemoMeter(options.events, start);
    let phase: DemoPhase = 'starting';
    const show = () => view.show(meter.progress(phase, session.fed.total, session.updaters));
    const showing = setInterval(show, SHOW_MS);
    try {
      view.say(`On ${place.log}.`);
      await session.begin();
      phase = 'feeding';
      await session.feed(world.events, stopping.signal);
      phase = 'catching up';
      await session.catchUp(stopping.signal);
      if (stopping.signal.aborted) return 130;
      phase = 'publishing';
      if (options.keep) await session.published();
      else await session.end();
      phase = 'looking';
      show();
      const findings = await session.lookAt((vectors) => findPlanted(vectors, world.truth));
      clearInterval(showing);
      const lines = reportLines({
        log: place.log,
        seed: options.seed,
        elapsedMs: performance.now() - start,
        fed: session.fed.total,
        rejected: await session.deadLetters(),
        topicPrefix: place.env.TWHIN_TOPIC_PREFIX,
        truth: world.truth,
        graphs: meter.progress(phase, session.fed.total, session.updaters).graphs,
        findings,
        environment: Object.entries(place.env).map(([name, value]) => `${name}=${value}`),
        kept: options.keep,
      });
      for (const line of lines) terminal.out(line);
      if (options.keep) await untilAborted(stopping.signal);
      return 0;
    } finally {
      clearInterval(showing);
    }
  } finally {
    await session.end();
    await place.stop();
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}

/** Updaters on a log, from start to end. */
class Session {
  readonly fed: Fed = { total: 0, byTopic: new Map() };
  readonly updaters: Updater[] = [];
  readonly #config: Config;
  readonly #log: EventLog;
  #running: Promise<unknown> = Promise.resolve();
  #failure: Error | undefined;
  readonly #place: Place;

  constructor(place: Place, config: Config) {
    this.#place = place;
    this.#config = config;
    this.#log = connect(config.kafka);
  }

  async begin(): Promise<void> {
    await this.#log.admin().create(declaredTopics(this.#config));
    for (const graph of this.#config.graphs) {
      this.updaters.push(await composeUpdater(this.#config, graph, this.#log, silentLog));
    }
    this.#running = Promise.allSettled(
      this.updaters.map((updater) =>
        updater.run().catch((error: Error) => {
          this.#failure ??= error;
        }),
      ),
    );
  }

  async feed(events: Parameters<typeof feedWorld>[0], signal: AbortSignal): Promise<void> {
    const sink = this.#log.sink();
    await feedWorld(events, sink, this.#place.env.TWHIN_TOPIC_PREFIX, this.fed, signal);
    await sink.stop();
  }

  /** Waits until each updater consumed what was sent to its topics. */
  async catchUp(signal: AbortSignal): Promise<void> {
    const behind = () =>
      this.#config.graphs.some(({ topics }, i) => {
        const sent = topics.reduce((sum, { name }) => sum + (this.fed.byTopic.get(name) ?? 0), 0);
        return (this.updaters[i]?.progress().events.consumed ?? 0) < sent;
      });
    await this.#until(() => !behind() || signal.aborted);
  }

  async published(): Promise<void> {
    await this.#until(() => this.updaters.every((updater) => updater.progress().outbox === 0));
  }

  async #until(reached: () => boolean): Promise<void> {
    while (!reached()) {
      if (this.#failure) throw this.#failure;
      await pause(100);
    }
  }

  async lookAt<T>(
    look: (vectors: Map<string, Float32Array>) => T,
  ): Promise<{ graph: string; findings: T }[]> {
    const found: { graph: string; findings: T }[] = [];
    for (const { name } of this.#config.graphs) {
      const topic = topicName(this.#config.topicPrefix, embeddingsName(name));
      const source = this.#log.source({ groupId: `${topic}.demo-reader`, topics: [topic] });
      found.push({ graph: name, findings: look(await readUserVectors(source)) });
    }
    return found;
  }

  /** Dead letters by the ends of their topic: what is on the log, not what the updaters counted. */
  async deadLetters(): Promise<number> {
    const topic = topicName(this.#config.topicPrefix, 'dead-letter');
    const source = this.#log.source({ groupId: `${topic}.demo-reader`, topics: [topic] });
    const ends = await source.ends();
    await source.stop();
    return Object.values(ends[topic] ?? {}).reduce((sum, end) => sum + end, 0);
  }

  /** Stops the updaters, everything trained and published. Idempotent. */
  async end(): Promise<void> {
    for (const updater of this.updaters) updater.stop();
    await this.#running;
    if (this.#failure) throw this.#failure;
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

process.exitCode = await demo(process.argv.slice(2)).catch((error: unknown) =>
  report(error, false, terminal),
);
