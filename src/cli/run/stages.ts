import type { LogConnection } from '../../adapters/connect.ts';
import { composeRouter } from '../../compose/router.ts';
import type { Config, GraphConfig } from '../../config/resolve.ts';
import { graphOf } from '../../graph/shard.ts';
import type { Log } from '../../log.ts';
import type { RoutingStage } from '../../pipeline/routing/stage.ts';

export interface StagesOptions {
  readonly connection: LogConnection;
  readonly log: Log;
  readonly reread?: readonly string[];
  /** Whether this process runs the shards, too. */
  readonly named: boolean;
}

/** The stages in front of graphs whose events are routed, one for each whole graph among `graphs`. */
export class Stages {
  readonly all: readonly RoutingStage[];
  #ends: readonly Promise<void>[] = [];

  private constructor(all: readonly RoutingStage[]) {
    this.all = all;
  }

  static async open(config: Config, graphs: readonly GraphConfig[], options: StagesOptions): Promise<Stages> {
    const routed = graphs.filter(({ routed }) => routed);
    const firsts = routed.filter(
      (graph, i) => routed.findIndex((other) => graphOf(other) === graphOf(graph)) === i,
    );
    return new Stages(await Promise.all(firsts.map((graph) => composeRouter(config, graph, options))));
  }

  /** Begins to route. failed: told at once of what ended a stage, which `stop` throws again. */
  begin(failed: () => void): void {
    this.#ends = this.all.map((stage) => stage.run());
    for (const end of this.#ends) end.catch(failed);
  }

  /** @throws what ended the first stage that failed. */
  async stop(): Promise<void> {
    await Promise.all(this.all.map((stage) => stage.stop()));
    const results = await Promise.allSettled(this.#ends);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
  }
}
