import { composeLive, type LiveOptions } from '../../compose/live.ts';
import type { ConfigSource } from '../../config/load.ts';
import type { Config, GraphConfig } from '../../config/resolve.ts';
import { FatalError, reasonOf } from '../../errors/errors.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import { differences } from '../../graph/head.ts';
import type { StoreMemory } from '../../graph/store.ts';
import { kernelHere } from '../../kernels/select.ts';
import type { Offsets } from '../../pipeline/ports.ts';
import type { Updater } from '../../pipeline/updater.ts';
import type { RoutedCounts } from '../../shards/routing/shard-log.ts';
import { openForReading } from '../../state/open.ts';
import { type Live, placeOf, readLive } from '../../state/places.ts';
import { duePromotion, type Promotion, requestPromotion, settlePromotion } from '../../state/promotion.ts';
import type { RunGraph } from '../../watch/status.ts';
import { asLive } from '../live-graph.ts';

const LOOK_FOR_PROMOTION_MS = 500;

export interface GraphRunOptions {
  readonly graph: GraphConfig;
  readonly config: Config;
  /** Gives the configuration with the settings that a store was trained with. */
  readonly configWith: ConfigSource;
  readonly outside: LiveOptions;
  readonly untilCaughtUp: boolean;
}

/**
 * One graph kept running, whichever of its stores is live: when another store is promoted, the updater on the one before
 * ends in good order and the next begins where that other store stands.
 */
export class GraphRun implements RunGraph {
  readonly #options: GraphRunOptions;
  #composed: Composed;
  #stopped = false;
  /** The updater was told to end for a promotion; whatever becomes of that, the graph is run on. */
  #ending = false;
  #looking = false;
  #lastTrouble: string | undefined;

  private constructor(options: GraphRunOptions, composed: Composed) {
    this.#options = options;
    this.#composed = composed;
  }

  /** Opens the live store. @throws what keeps it from being run. */
  static async open(options: GraphRunOptions): Promise<GraphRun> {
    const { graph } = options;
    const promotion = duePromotion(graph);
    if (promotion !== undefined && (await refused(promotion, options)) === undefined)
      await settlePromotion(graph);
    return new GraphRun(options, await compose(options));
  }

  get updater(): Updater {
    return this.#composed.updater;
  }

  /** The graph as its live store was trained. */
  get graph(): GraphConfig {
    return this.#composed.graph;
  }

  /** What the live store has in memory; undefined once it is closed. */
  storeMemory(): Promise<StoreMemory | undefined> {
    return this.#composed.storeMemory();
  }

  /** What a shard met in the edges topic; undefined where the graph is whole. */
  get routed(): RoutedCounts | undefined {
    return this.#composed.routed;
  }

  /** As {@link LiveUpdater.unrouted}. */
  get unrouted(): Offsets {
    return this.#composed.unrouted;
  }

  /** Resolves when stopped or, where asked for, caught up. @throws what ended it. */
  async run(): Promise<void> {
    const { graph, untilCaughtUp, outside } = this.#options;
    for (;;) {
      this.#ending = false;
      const watching = setInterval(() => void this.#look(), LOOK_FOR_PROMOTION_MS);
      await this.updater.run({ untilCaughtUp }).finally(() => clearInterval(watching));
      if (this.#stopped) return;
      const live = await this.#settle();
      if (live === undefined && !this.#ending) return;
      const { live: store, previous: before } = live ?? readLive(graph);
      outside.log.info({ graph: graph.name, store, before }, live ? 'store promoted' : STAYS);
      this.#composed = await compose({ ...this.#options, outside: { ...outside, reread: [] } });
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
    const { graph, outside } = this.#options;
    if (this.#ending || this.#looking) return;
    this.#looking = true;
    try {
      const promotion = duePromotion(graph);
      this.#lastTrouble = undefined;
      if (promotion === undefined || (await refused(promotion, this.#options)) !== undefined) return;
      outside.log.info(
        { graph: graph.name, store: promotion.store },
        'a store is to be promoted: ending with this one',
      );
      this.#ending = true;
      this.updater.stop();
    } catch (error) {
      this.#tell(error);
    } finally {
      this.#looking = false;
    }
  }

  /** undefined: the live store is the one it was; a promotion that can't be made ends no run that goes well. */
  async #settle(): Promise<Live | undefined> {
    try {
      return await settlePromotion(this.#options.graph);
    } catch (error) {
      if (!(error instanceof FatalError) || error.code !== 'promotion') throw error;
      this.#tell(error);
      return undefined;
    }
  }

  /** Once, however often it is met. */
  #tell(error: unknown): void {
    const reason = reasonOf(error);
    if (reason === this.#lastTrouble) return;
    this.#lastTrouble = reason;
    const { graph, outside } = this.#options;
    outside.log.error({ graph: graph.name, reason }, 'a promotion is asked for and can not be made');
  }
}

/**
 * Refuses a promotion of a store that this process's configuration can't run, before anything ends, and says so to whoever
 * asked. Gives the reason; undefined: the store can be run.
 */
async function refused(
  promotion: Promotion,
  { graph: plain, configWith, outside }: GraphRunOptions,
): Promise<string | undefined> {
  const reason = await misfitOf(promotion, plain, configWith);
  if (reason === undefined) return undefined;
  await requestPromotion(plain, { ...promotion, refused: reason });
  outside.log.error({ graph: plain.name, store: promotion.store, reason }, 'a promotion is refused');
  return reason;
}

async function misfitOf(
  { store: name, set }: Promotion,
  plain: GraphConfig,
  configWith: ConfigSource,
): Promise<string | undefined> {
  let store: GraphStore | undefined;
  try {
    const { graphs } = await configWith(set);
    const graph = graphs.find((each) => each.name === plain.name) ?? plain;
    store = await openForReading(graph, placeOf(plain, name));
    const head = await store?.head();
    const differing = head && differences(head.model, graph.model, ['the store', 'the process']);
    if (differing === undefined || differing.length === 0) return undefined;
    return (
      `${name} is of another model than the process that runs ${plain.name} is configured for: ${differing.join('; ')}. ` +
      'Stop that process, give the command again, and start the process with the new configuration'
    );
  } catch (error) {
    return reasonOf(error);
  } finally {
    await store?.close();
  }
}

const STAYS = 'the promotion was taken back: going on with the live store';

interface Composed extends RunGraph {
  readonly updater: Updater;
  readonly unrouted: Offsets;
}

/** An updater on the graph's live store, with the settings that store was trained with. */
async function compose(options: GraphRunOptions): Promise<Composed> {
  const { config, graph } = await asLive(options.config, options.graph, options.configWith);
  // By its own name, so that metrics and status tell which build it is.
  const running = { ...graph, trainer: { ...graph.trainer, kernel: kernelHere(graph.trainer.kernel) } };
  return { ...(await composeLive(config, running, options.outside)), graph: running };
}
