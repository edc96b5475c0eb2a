import { connect } from './adapters/connect.ts';
import { selectWholeGraphs } from './cli/select.ts';
import { EDGES, Serving } from './compose/serving.ts';
import { type ConfigureTwhin, configOf, loadConfig } from './config/load.ts';
import type { ConfigInput } from './config/schema.ts';
import { RetryableError } from './errors/errors.ts';
import { type Log, silentLog } from './log.ts';
import type { Answer, RankAnswer, RecentAnswer, SearchAnswer, SimilarAnswer } from './serve/answers.ts';
import { countOf, type RecentAsked } from './serve/entities.ts';
import type { SearchAsked } from './serve/search.ts';
import type { CandidatesAsked, RankAsked, SimilarAsked } from './serve/surfaces.ts';

export interface ServeGraphsOptions {
  /** Names of the graphs; all of the configuration unless given. */
  readonly graphs?: readonly string[] | undefined;
  /** Most edges remembered of all entities of a graph: 100 million. */
  readonly edges?: number | undefined;
  /** Takes log lines, as pino does; nothing is logged unless given. */
  readonly log?: Log | undefined;
}

/**
 * The answers of `twhin serve`, in this process. They are refused with RetryableError `not-read` before their graph is read, with
 * FatalError `busy` when too many wait, with UsageError for what no graph has, and with the error that ended the reading, if one did.
 */
export interface ServedGraphs {
  /** As `/v1/candidates`. */
  candidates(asked: CandidatesAsked): Promise<Answer>;
  /** As `/v1/similar`; undefined where nothing has a vector of that name. */
  similar(asked: SimilarAsked): Promise<SimilarAnswer | undefined>;
  /** As `/v1/rank`; undefined where the entity or the relation has no vector. */
  rank(asked: RankAsked): Promise<RankAnswer | undefined>;
  /** As `/v1/search`. */
  search(asked: SearchAsked): Promise<SearchAnswer>;
  /** As `/v1/recent`. */
  recent(asked: RecentAsked): Promise<RecentAnswer>;
  /** Why nobody should ask now, a phrase each; none once all is read. */
  unready(): readonly string[];
  /** Ends once all is read. @throws what ends the reading: FatalError `topics-missing`, for one; RetryableError `not-read` after `stop`. */
  ready(): Promise<void>;
  /** Stops reading and closes the connections; after it, nothing keeps the process alive. Idempotent. */
  stop(): Promise<void>;
}

/** See `serveGraphs` in `index.ts`. */
export async function serveGraphs(
  config?: ConfigInput | ConfigureTwhin,
  options: ServeGraphsOptions = {},
): Promise<ServedGraphs> {
  const { env } = process;
  const cwd = process.cwd();
  const resolved = config === undefined ? await loadConfig(env, cwd) : configOf(config, env, cwd);
  const { graphs, log = silentLog } = options;
  const edges = countOf('edges', options.edges ?? EDGES);
  const selected = selectWholeGraphs(resolved, graphs);
  const connection = await connect(resolved.kafka, (level, line) => log[level]({}, line));
  // The program that asks has threads of its own.
  const serving = new Serving(resolved, selected, { connection, log, edges, threads: 0 });
  void serving.begin();
  let stopped: Promise<void> | undefined;
  const reading = () => {
    serving.refuseEnded();
    if (stopped === undefined) return serving;
    throw new RetryableError('not-read', 'the vectors are not read: reading was stopped');
  };
  return {
    candidates: async (asked) => reading().surfaces.candidates(asked),
    similar: async (asked) => reading().surfaces.similar(asked),
    rank: async (asked) => reading().surfaces.rank(asked),
    search: async (asked) => reading().surfaces.search(asked),
    recent: async (asked) => reading().entities.recent(asked),
    unready: () => serving.unready(),
    ready: () => serving.ready(() => void reading()),
    stop: () => {
      stopped ??= serving[Symbol.asyncDispose]().finally(() => connection.close());
      return stopped;
    },
  };
}
