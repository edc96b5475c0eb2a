import { connect } from './adapters/connect.ts';
import { selectWholeGraphs } from './cli/select.ts';
import { EDGES, Serving } from './compose/serving.ts';
import { type ConfigureTwhin, configOf, loadConfig } from './config/load.ts';
import type { ConfigInput } from './config/schema.ts';
import { RetryableError, UsageError } from './errors/errors.ts';
import { type Log, silentLog } from './log.ts';
import { keyOf, keysOf, oneOf, queryKey, type RecentAnswer } from './serve/entities.ts';
import type { SearchAnswer, SearchAsked } from './serve/search.ts';
import type { Answer, CandidatesAsked, RankAnswer, SimilarAnswer } from './serve/surfaces.ts';

const DEFAULT_ITEMS = 20;

export interface ServeGraphsOptions {
  /** Names of the graphs; all of the configuration unless given. */
  readonly graphs?: readonly string[] | undefined;
  /** Most edges remembered of all entities of a graph: 100 million. */
  readonly edges?: number | undefined;
  /** Takes log lines, as pino does; nothing is logged unless given. */
  readonly log?: Log | undefined;
}

/** The subject of a question: an entity as `TYPE:ID`, or a user by the id alone. */
export interface About {
  readonly from?: string | undefined;
  readonly user?: string | undefined;
}

/** A list that is asked for, as `/v1/candidates` is asked. */
export interface ListAsked extends About, Omit<CandidatesAsked, 'from' | 'k' | 'exclude'> {
  /** Entities in the list: 20. */
  readonly k?: number | undefined;
  /** As `TYPE:ID`. */
  readonly exclude?: readonly string[] | undefined;
}

/** As `/v1/similar` is asked. */
export interface SimilarAsked extends Pick<ListAsked, 'k' | 'graph' | 'exclude' | 'explain'> {
  readonly entity: string;
}

export interface RankAsked extends About, Pick<ListAsked, 'graph'> {
  readonly relation: string;
  readonly candidates: readonly string[];
}

/** A search, as `/v1/search` is asked. */
export interface SearchedFor extends Omit<SearchAsked, 'query' | 'k'> {
  /** What somebody typed. */
  readonly q: string;
  readonly k?: number | undefined;
}

export interface RecentAsked extends Pick<ListAsked, 'user' | 'k'> {
  /** As `TYPE:ID`; or a user. */
  readonly entity?: string | undefined;
}

/**
 * The answers of `twhin serve`, in this process. They are refused with RetryableError `not-read` before their graph is read, with
 * FatalError `busy` when too many wait, with UsageError for what no graph has, and with the error that ended the reading, if one did.
 */
export interface ServedGraphs {
  /** As `/v1/candidates`. */
  candidates(asked: ListAsked): Promise<Answer>;
  /** As `/v1/similar`; undefined where nothing has a vector of that name. */
  similar(asked: SimilarAsked): Promise<SimilarAnswer | undefined>;
  /** As `/v1/rank`; undefined where the entity or the relation has no vector. */
  rank(asked: RankAsked): Promise<RankAnswer | undefined>;
  /** As `/v1/search`. */
  search(asked: SearchedFor): Promise<SearchAnswer>;
  /** As `/v1/recent`. */
  recent(asked: RecentAsked): Promise<RecentAnswer>;
  /** Why nobody should ask now, a phrase each; none once all is read. */
  unready(): readonly string[];
  /** Ends once all is read. @throws what ends the reading: FatalError `topics-missing`, for one; RetryableError `not-read` after `stop`. */
  ready(): Promise<void>;
  /** Stops reading and closes the connections; after it, nothing keeps the process alive. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Begins to read the vectors of graphs, like any reader, to answer from them in this process.
 * config: as in a `twhin.config.ts`; undefined reads that file, as commands do. Environment variables win in both cases.
 * @throws UsageError for a configuration that is wrong, a graph that it lacks, or `edges` below 1.
 */
export async function serveGraphs(
  config?: ConfigInput | ConfigureTwhin,
  options: ServeGraphsOptions = {},
): Promise<ServedGraphs> {
  const { env } = process;
  const cwd = process.cwd();
  const resolved = config === undefined ? await loadConfig(env, cwd) : configOf(config, env, cwd);
  const { graphs, log = silentLog } = options;
  const edges = checkedCount('edges', options.edges, EDGES);
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
    candidates: async ({ from, user, k, exclude = [], ...asked }) =>
      reading().surfaces.candidates({
        ...asked,
        from: oneOf('from', from, user),
        k: checkedCount('k', k),
        exclude: keysOf('exclude', exclude),
      }),
    similar: async ({ entity, k, exclude = [], ...asked }) =>
      reading().surfaces.similar({
        ...asked,
        entity: keyOf('entity', entity),
        k: checkedCount('k', k),
        exclude: keysOf('exclude', exclude),
      }),
    rank: async ({ from, user, candidates, ...asked }) =>
      reading().surfaces.rank({
        ...asked,
        from: oneOf('from', from, user),
        candidates: keysOf('candidates', candidates),
      }),
    search: async ({ q, k, ...asked }) =>
      reading().surfaces.search({ ...asked, query: keyOf('q', q, queryKey), k: checkedCount('k', k) }),
    recent: async ({ entity, user, k }) =>
      reading().entities.recent(oneOf('entity', entity, user), checkedCount('k', k)),
    unready: () => serving.unready(),
    ready: () => serving.ready(() => void reading()),
    stop: () => {
      stopped ??= serving[Symbol.asyncDispose]().finally(() => connection.close());
      return stopped;
    },
  };
}

function checkedCount(field: string, count: number | undefined, unlessGiven = DEFAULT_ITEMS): number {
  const counted = count ?? unlessGiven;
  if (Number.isSafeInteger(counted) && counted > 0) return counted;
  throw new UsageError(`${field}: expected a whole number from 1, seen ${counted}`);
}
