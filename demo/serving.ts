import { setTimeout as pause } from 'node:timers/promises';
import type { LogConnection } from '../src/adapters/connect.ts';
import { beginVectorServer } from '../src/cli/serve/command.ts';
import { EDGES_OF_ONE } from '../src/compose/served-run.ts';
import { EDGES } from '../src/compose/serving.ts';
import type { Config } from '../src/config/resolve.ts';
import { FatalError } from '../src/errors/errors.ts';
import { type EntityKey, entityKey, typeOf } from '../src/graph/entity.ts';
import { SURFACES } from '../src/graph/surface.ts';
import { silentLog } from '../src/log.ts';
import type { Sink } from '../src/pipeline/ports.ts';
import type { CandidatesAsked } from '../src/serve/surfaces.ts';
import { demoActions } from './actions.ts';

const HOST = '127.0.0.1';
const PORT = 8079;
const LOOK_MS = 100;
/** Has no vector: what is popular is shown to this user. */
const NOBODY = entityKey('user', 'nobody');

export interface DemoServingOptions {
  readonly config: Config;
  readonly connection: LogConnection;
  /** 0: any free port. */
  readonly port?: number;
  /** Names of an entity's groups, which the page shows. */
  groupsOf(entity: string): readonly string[];
}

/** What `twhin serve` serves, and a page that can act: likes, follows and clicks are sent as events. */
export class DemoServing {
  readonly #connection: LogConnection;
  readonly #sink: Sink;
  #server: Awaited<ReturnType<typeof beginVectorServer>> | undefined;

  private constructor(connection: LogConnection) {
    this.#connection = connection;
    this.#sink = connection.sink();
  }

  /** Listens on a loopback address, at the usual port or any free one, and begins to read. The topics exist. */
  static async begin(options: DemoServingOptions): Promise<DemoServing> {
    const serving = new DemoServing(options.connection);
    try {
      await serving.#begin(options);
      return serving;
    } catch (error) {
      await serving.stop();
      throw error;
    }
  }

  get url(): string {
    return this.#server?.url ?? '';
  }

  /** Waits until all is read that is in the topics now. @throws Error when a topic can't be followed. */
  async upToDate(): Promise<void> {
    const { serving } = this.#server!;
    for (const run of serving.runs) {
      while (!(await run.isUpToDate())) {
        serving.refuseEnded();
        await pause(LOOK_MS);
      }
    }
  }

  /** The user's list of a surface, and what is popular for the same user; neither has what the user knows already. */
  async lists(surface: string, user: EntityKey, k: number) {
    const { runs, surfaces } = this.#server!.serving;
    const shown = SURFACES.find(({ name }) => name === surface)?.to;
    const known = runs.flatMap(({ activity }) => [
      ...activity.recent(user, EDGES_OF_ONE).map(({ target }) => target),
      ...activity.blocked(user, 'user'),
    ]);
    const exclude = [user, ...known].filter((entity) => typeOf(entity) === shown);
    const ask = async (asked: CandidatesAsked): Promise<EntityKey[]> => {
      for (;;) {
        try {
          const { items } = await surfaces.candidates(asked);
          return items.map(({ entity }) => entity);
        } catch (error) {
          // People who look at the page ask too.
          if (!(error instanceof FatalError) || error.code !== 'busy') throw error;
          await pause(LOOK_MS);
        }
      }
    };
    const served = await ask({ surface, from: user, k });
    const popular = await ask({ surface, from: NOBODY, k, exclude });
    return { served, popular };
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    await this.#sink.stop();
  }

  async #begin({ config, port = PORT, groupsOf }: DemoServingOptions): Promise<void> {
    const advertiserOf = (ad: EntityKey): EntityKey | undefined => {
      for (const { activity } of this.#server?.serving.runs ?? []) {
        const source = activity.sourceOf(ad, 'promotes');
        if (source !== undefined) return source;
      }
      return undefined;
    };
    const knows = (entity: EntityKey) =>
      this.#server?.serving.runs.some(({ spaces }) => spaces.current?.vectorOf(entity) !== undefined) ===
      true;
    const { topicPrefix, graphs } = config;
    const sink = this.#sink;
    const options = {
      connection: this.#connection,
      log: silentLog,
      edges: EDGES,
      // Its tables are small: a message to a thread would take longer than a scan.
      threads: 0,
      actions: demoActions({ sink, topicPrefix, clock: Date.now, advertiserOf, knows, groupsOf }),
    };
    this.#server = await beginVectorServer(config, graphs, { host: HOST, port }, options).catch(
      (error: unknown) => {
        if (port === 0 || !(error instanceof FatalError)) throw error;
        return beginVectorServer(config, graphs, { host: HOST, port: 0 }, options);
      },
    );
  }
}
