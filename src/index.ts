import type { ConfigureTwhin } from './config/load.ts';
import type { ConfigInput } from './config/schema.ts';
import type { ServedGraphs, ServeGraphsOptions } from './serve-graphs.ts';

/** What a `twhin.config.ts` and a reader of the vectors need, and the answers of `twhin serve` in one's own process. */
export {
  decodeEmbedding,
  decodeRelation,
  decodeVector,
  type Embedding,
  type RelationVector,
} from '../topics/index.ts';
export type { ConfigureTwhin } from './config/load.ts';
export type { ConfigInput } from './config/schema.ts';
export type {
  Answer,
  RankAnswer,
  RecentAnswer,
  SearchAnswer,
  SimilarAnswer,
} from './serve/answers.ts';
export type { RecentAsked } from './serve/entities.ts';
export type { SearchAsked as SearchedFor } from './serve/search.ts';
export type { CandidatesAsked as ListAsked, RankAsked, SimilarAsked } from './serve/surfaces.ts';
export type { ServedGraphs, ServeGraphsOptions } from './serve-graphs.ts';

/**
 * Begins to read the vectors of graphs, like any reader, to answer from them in this process: see {@link ServedGraphs}.
 * config: as in a `twhin.config.ts`; undefined reads that file, as commands do. Environment variables win in both cases.
 * @throws UsageError for a configuration that is wrong, a graph that it lacks, or `edges` below 1.
 */
export async function serveGraphs(
  config?: ConfigInput | ConfigureTwhin,
  options?: ServeGraphsOptions,
): Promise<ServedGraphs> {
  // Loaded here: who decodes vectors alone needs none of it.
  const serving = await import('./serve-graphs.ts');
  return serving.serveGraphs(config, options);
}
