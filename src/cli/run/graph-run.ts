import { composeLive, type LiveOptions } from '../../compose/live.ts';
import { kernelOf } from '../../compose/wide.ts';
import type { ConfigSource } from '../../config/load.ts';
import type { Config, GraphConfig } from '../../config/resolve.ts';
import { FatalError, reasonOf } from '../../errors/errors.ts';
import { differences } from '../../graph/head.ts';
import { graphOf } from '../../graph/shard.ts';
import type { StoreMemory } from '../../graph/store.ts';
import type { Updater } from '../../pipeline/updater.ts';
import { isStore, readHead } from '../../state/open.ts';
import { FIRST_LIVE, type Live, placeOf, readLive } from '../../state/places.ts';
import type { RunGraph } from '../../watch/status.ts';
import { asLive } from '../select.ts';

/** How long a promotion may go unseen. */
const LOOK_MS = 1_000;

export interface GraphRunOptions {
  readonly graph: GraphConfig;
  readonly config: Config;
  /** Gives the configuration with the settings that a store was trained with. */
  readonly configWith: ConfigSource;
  readonly outside: LiveOptions;
  readonly untilCaughtUp: boolean;
}

/**
 * One graph kept running on the store that `live.json` names. When that is another one, and it can be run, the updater on the store
 * before ends in good order, and the next begins where the other store stands. A kill at any moment leaves it to the next process.
 */
export class GraphRun implements RunGraph {
  readonly #options: GraphRunOptions;
  #composed: Composed;
  #stopped = false;
  /** The updater was told to end for another store. */
  #ending = false;
  #looking = false;
  /** Why the live store is not run, or since when it is live; it is told once. */
  #refused: string | undefined;

  private constructor(options: GraphRunOptions, composed: Composed) {
    this.#options = options;
    this.#composed = composed;
  }

  /** Opens the live store. @throws what keeps it from being run. */
  static async open(options: GraphRunOptions): Promise<GraphRun> {
    return new GraphRun(options, await compose(options, readLive(options.graph)));
  }

  get updater(): Updater {
    return this.#composed.updater;
  }

  /** The graph as its store was trained. */
  get graph(): GraphConfig {
    return this.#composed.graph;
  }

  /** What the store has in memory; undefined once it is closed. */
  storeMemory(): Promise<StoreMemory | undefined> {
    return this.#composed.storeMemory();
  }

  /** Resolves when stopped or, where asked for, caught up. @throws what ended it. */
  async run(): Promise<void> {
    const { graph, untilCaughtUp, outside } = this.#options;
    for (;;) {
      const watching = setInterval(() => void this.#look(), LOOK_MS);
      await this.updater.run({ untilCaughtUp }).finally(() => clearInterval(watching));
      if (this.#stopped) return;
      // Another promotion may have come while the updater ended, back to its own store as well.
      const next = (await this.#promoted()) ?? (this.#ending ? this.#composed.live : undefined);
      if (next === undefined) return;
      const before = this.#composed.live.live;
      const what = next.live === before ? 'store stays live' : 'store promoted';
      outside.log.info({ graph: graph.name, store: next.live, before }, what);
      this.#composed = await compose(
        { ...this.#options, outside: { ...outside, reread: [], goOn: [] } },
        next,
      );
      this.#ending = false;
      if (this.#stopped) this.updater.stop();
    }
  }

  stop(): void {
    this.#stopped = true;
    this.updater.stop();
  }

  close(): Promise<void> {
    this.#stopped = true;
    return this.updater.close();
  }

  async #look(): Promise<void> {
    if (this.#looking || this.#ending) return;
    this.#looking = true;
    const { updater } = this;
    const next = await this.#promoted();
    this.#looking = false;
    if (next === undefined || updater !== this.updater) return;
    this.#ending = true;
    const { graph, outside } = this.#options;
    outside.log.info({ graph: graph.name, store: next.live }, 'another store is live: ending with this one');
    updater.stop();
  }

  /** The live store, where it is another one than is run and can be run. Why it can't be run is told, and ends nothing. */
  async #promoted(): Promise<Live | undefined> {
    const { graph, outside } = this.#options;
    try {
      const live = readLive(graph);
      if (live.live === this.#composed.live.live || live.since === this.#refused) return undefined;
      const reason = await misfitOf(live, this.#options);
      if (reason === undefined) return live;
      this.#refused = live.since;
      outside.log.error(
        { graph: graph.name, store: live.live, reason },
        'the live store can not be run here',
      );
    } catch (error) {
      const reason = reasonOf(error);
      if (reason !== this.#refused)
        outside.log.error({ graph: graph.name, reason }, 'no live store is known');
      this.#refused = reason;
    }
    return undefined;
  }
}

/** Why this process can't run a store; undefined: it can. */
async function misfitOf(
  { live, set }: Live,
  { graph: plain, configWith }: GraphRunOptions,
): Promise<string | undefined> {
  try {
    const { graphs } = await configWith(set);
    const graph = graphs.find((each) => each.name === plain.name) ?? plain;
    const head = await readHead(graph, placeOf(plain, live));
    if (head === undefined) return `there is no store ${live}`;
    const differing = differences(head.model, graph.model, ['the store', 'the process']);
    return differing.length === 0 ? undefined : `it is of another model: ${differing.join('; ')}`;
  } catch (error) {
    return reasonOf(error);
  }
}

interface Composed extends RunGraph {
  readonly updater: Updater;
  /** The store that the updater runs on. */
  readonly live: Live;
}

/**
 * An updater on a store of the graph, with the settings that the store was trained with.
 * @throws FatalError `store-missing` where the store is gone: an empty one would be trained and published in its place.
 */
async function compose(options: GraphRunOptions, live: Live): Promise<Composed> {
  const { config, graph } = await asLive(options.config, options.graph, options.configWith, live);
  const { kernel, why } = kernelOf(graph.trainer);
  options.outside.log.info({ graph: graph.name, kernel, why }, 'kernel chosen');
  // By its own name, so that metrics and status tell which one it is.
  const running = { ...graph, trainer: { ...graph.trainer, kernel } };
  const place = placeOf(options.graph, live.live);
  if (live !== FIRST_LIVE && !isStore(place)) {
    throw new FatalError(
      'store-missing',
      `the live store of ${graph.name} is ${live.live}, and there is no store in ${place.folder}. Put it back, or make another store live: ` +
        `twhin promote --rollback --graph ${graphOf(graph)}. To restore a backup or begin with an empty store, move ${options.graph.folder} away`,
    );
  }
  const composed = await composeLive(config, running, { ...options.outside, place });
  return { ...composed, graph: running, live };
}
