/** What a `twhin.config.ts` and a reader of the vectors need. */
export { decodeEmbedding, decodeVector, type Embedding } from '../topics/index.ts';
export type { ConfigureTwhin } from './config/load.ts';
export type { ConfigInput } from './config/schema.ts';
