import { ShapeError } from '../src/errors/errors.ts';
import { DEFAULT_PREFIX, type TopicDeclaration, topicName } from './declaration.ts';
import {
  compactedForVectors,
  decodeEmbedding,
  type Embedding,
  type EmbeddingHeaders,
  embeddingHeaders,
  textOf,
} from './embeddings.ts';

/** Scorers by their name in the configuration, and the norm that each compares by; `twhin` takes a dot product. */
const NORMS = {
  'transe-l1': '1',
  'transe-l2': '2',
  'transe-l2-squared': '2',
  twhin: undefined,
} as const;

export type PublishedScorer = keyof typeof NORMS;

/** Whether a scorer of that name is in the wire contract. */
export function isPublishedScorer(name: string): name is PublishedScorer {
  return Object.hasOwn(NORMS, name);
}

const KEY = /^relation:([^/]+)(\/inverse)?$/;

/** The direction of a relation: to find rhs from lhs, and with the inverse vector lhs from rhs. */
export interface RelationSide {
  readonly relation: string;
  readonly inverse: boolean;
}

/** The headers of a published relation vector. */
export interface RelationHeaders extends EmbeddingHeaders {
  /** False while no edge has trained the relation: its vector is a random start. */
  readonly trained: boolean;
  readonly scorer: PublishedScorer;
  /** Factor on each score. */
  readonly beta: number;
  /** Entity types of the relation's edges; the inverse vector is published with the same two. */
  readonly lhs: string;
  readonly rhs: string;
}

/** A decoded record of a model topic. */
export interface RelationVector extends RelationHeaders, RelationSide {
  readonly vector: Float32Array;
}

/** The key of a relation vector: `relation:like`, or `relation:like/inverse`. */
export function relationKey({ relation, inverse }: RelationSide): string {
  return `relation:${relation}${inverse ? '/inverse' : ''}`;
}

/** Encodes headers as UTF-8 text, with numbers in decimal. `norm` is left out where the scorer has none. */
export function relationHeaders(headers: RelationHeaders): Record<string, string> {
  const { trained, scorer, beta, lhs, rhs } = headers;
  const norm = NORMS[scorer];
  return {
    ...embeddingHeaders(headers),
    trained: String(trained),
    scorer,
    beta: String(beta),
    ...(norm !== undefined && { norm }),
    lhs,
    rhs,
  };
}

/**
 * Decodes and checks a record of a model topic.
 * headers: as text, or as bytes from a client.
 * @throws ShapeError when the key names no relation, a header is missing or wrong, or the value is no vector of `dim`
 * finite numbers.
 */
export function decodeRelation(
  key: Uint8Array | string | null,
  headers: Readonly<Record<string, unknown>>,
  value: Uint8Array | null,
): RelationVector {
  const side = sideOf(key);
  const { vector, ...common }: Embedding = decodeEmbedding(headers, value);
  if (vector === null) throw new ShapeError('the value is empty; a relation vector is never deleted');
  if (!vector.every(Number.isFinite)) throw new ShapeError('the vector holds a number that is not finite');
  const scorer = textOf(headers, 'scorer');
  if (!isPublishedScorer(scorer)) {
    const known = Object.keys(NORMS).join(', ');
    throw new ShapeError(`header scorer is ${JSON.stringify(scorer)}; this version knows ${known}`);
  }
  const text = textOf(headers, 'beta');
  const beta = Number(text);
  if (!(beta > 0 && Number.isFinite(beta)))
    throw new ShapeError(`header beta is ${JSON.stringify(text)}; expected a number above 0`);
  const trained = textOf(headers, 'trained');
  if (trained !== 'true' && trained !== 'false')
    throw new ShapeError(`header trained is ${JSON.stringify(trained)}; expected true or false`);
  return {
    ...common,
    ...side,
    vector,
    trained: trained === 'true',
    scorer,
    beta,
    lhs: textOf(headers, 'lhs'),
    rhs: textOf(headers, 'rhs'),
  };
}

function sideOf(key: Uint8Array | string | null): RelationSide {
  const text = key === null ? '' : Buffer.from(key).toString('utf8');
  const [, relation, inverse] = KEY.exec(text) ?? [];
  if (relation === undefined) {
    throw new ShapeError(
      `key ${JSON.stringify(text.slice(0, 80))} names no relation; expected relation:NAME or relation:NAME/inverse`,
    );
  }
  return { relation, inverse: inverse !== undefined };
}

/** The name, without the prefix, of the topic with a graph's relation vectors. */
export function modelName(graph: string): string {
  return `model.${graph}`;
}

/** The topic with a graph's relation vectors: compacted, with a record for each relation and direction. */
export function modelDeclaration(graph: string, prefix: string = DEFAULT_PREFIX): TopicDeclaration {
  return {
    name: topicName(prefix, modelName(graph)),
    role: 'written',
    partitions: 1,
    configs: compactedForVectors(),
  };
}
