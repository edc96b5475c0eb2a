import type { Config, GraphConfig } from '../../config/resolve.ts';
import { FatalError } from '../../errors.ts';
import type { Updater } from '../../pipeline/updater.ts';
import { readLive } from '../../state/places.ts';
import { pendingPromotion, settlePromotion } from '../../state/promotion.ts';
import { composeUpdater, type Outside } from './compose.ts';

const LOOK_FOR_PROMOTION_MS = 500;

export interface GraphRunOptions {
  readonly graph: GraphConfig;
  readonly config: Config;
  /** The configuration with `key=value` settings put over it. */
  configWith(set: readonly string[]): Promise<Config>;
  readonly outside: Outside;
  readonly untilCaughtUp: boolean;
}

/**
 * One graph kept running, whichever of its stores is live: when another store is promoted, the updater on the one before
 * ends in good order and the next begins where that other store stands.
 */
export class GraphRun {
  readonly #options: GraphRunOptions;
  #updater: Updater;
  #stopped = false;

  private constructor(options: GraphRunOptions, updater: Updater) {
    this.#options = options;
    this.#updater = updater;
  }

  /** Opens the live store. @throws what keeps it from being run. */
  static async open(options: GraphRunOptions): Promise<GraphRun> {
    await settlePromotion(options.graph);
    return new GraphRun(options, await compose(options));
  }

  get updater(): Updater {
    return this.#updater;
  }

  /** Resolves when stopped or, where asked for, caught up. @throws what ended it. */
  async run(): Promise<void> {
    const { graph, untilCaughtUp, outside } = this.#options;
    for (;;) {
      const watching = setInterval(() => this.#look(), LOOK_FOR_PROMOTION_MS);
      await this.#updater.run({ untilCaughtUp }).finally(() => clearInterval(watching));
      const live = this.#stopped ? undefined : await settlePromotion(graph);
      if (live === undefined) return;
      outside.log.info({ graph: graph.name, store: live.live, before: live.previous }, 'store promoted');
      this.#updater = await compose({ ...this.#options, outside: { ...outside, reread: [] } });
      if (this.#stopped) this.#updater.stop();
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#updater.stop();
  }

  close(): Promise<void> {
    this.#stopped = true;
    return this.#updater.close();
  }

  #look(): void {
    const { graph, outside } = this.#options;
    try {
      const promotion = pendingPromotion(graph);
      if (promotion === undefined) return;
      outside.log.info(
        { graph: graph.name, store: promotion.store },
        'a store is to be promoted: ending with this one',
      );
      this.#updater.stop();
    } catch (error) {
      outside.log.error(
        { graph: graph.name, reason: String(error) },
        'a promotion is asked for and can not be read',
      );
    }
  }
}

/** An updater on the graph's live store, with the settings that store was trained with. */
async function compose({ graph, config, configWith, outside }: GraphRunOptions): Promise<Updater> {
  const { live, set } = readLive(graph);
  if (set.length === 0) return composeUpdater(config, graph, outside);
  const changed = await configWith(set);
  const same = changed.graphs.find(({ name }) => name === graph.name);
  if (same === undefined)
    throw new FatalError('live-store', `${live} is live with ${set.join(' ')}: no graph ${graph.name}`);
  return composeUpdater(changed, same, outside);
}
