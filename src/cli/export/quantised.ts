import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { npy } from '../../adapters/npy.ts';
import { UsageError } from '../../errors/errors.ts';
import { Random } from '../../sampling/random.ts';
import { kMeans } from '../../serve/interests.ts';
import { type Format, type StoredVectors, vectorsOf } from './vectors.ts';

/** Centroids of each part: a code is one byte. */
const CENTROIDS = 256;
/** Vectors of a type that its centroids are found on: 128 for each. */
const SAMPLE = 128 * CENTROIDS;
/** The same store gives the same codes. */
const SEED = 1;
/** Steps of k-means before other work gets its turn. */
const STEPS = 16;

/** @throws UsageError for parts that don't divide dim. */
export function refuseParts(parts: number, dim: number): void {
  const possible = Array.from({ length: dim }, (_, i) => i + 1).filter((each) => dim % each === 0);
  if (possible.includes(parts)) return;
  throw new UsageError(
    `--pq: vectors of ${dim} numbers are cut into equal parts, ${possible.join(', ')} of them; seen ${parts}`,
  );
}

/**
 * Finds the codebooks of a type by k-means on a sample of its vectors: [parts, 256, dim / parts], row-major. At most 256 vectors
 * are their own centroids; the rest of each codebook is zeros then.
 * Source: Jégou, Douze and Schmid 2011, "Product quantization for nearest neighbor search".
 * @throws as `vectorsOf`.
 */
export async function trainCodebooks(
  stored: StoredVectors,
  parts: number,
  progress: (text: string) => void,
): Promise<Float32Array> {
  const { type, dim, entities } = stored;
  const random = Random.seeded(SEED);
  const sample: Float32Array[] = [];
  // Names are in no order that the vectors know of.
  const every = Math.ceil(entities / SAMPLE);
  let n = 0;
  for await (const { vector } of vectorsOf(stored, () => n++ % every === 0)) sample.push(vector);
  const width = dim / parts;
  const codebooks = new Float32Array(CENTROIDS * dim);
  for (let part = 0; part < parts && sample.length > 0; part++) {
    const points = sample.map((vector) => vector.subarray(part * width, (part + 1) * width));
    const steps = kMeans(points, (n) => random.below(n), CENTROIDS);
    let made = steps.next();
    for (let step = 0; !made.done; made = steps.next(), step++) {
      if (step % STEPS > 0) continue;
      progress(`centroids of ${type}: part ${part + 1} of ${parts}`);
      await breathe();
    }
    for (const [c, centroid] of made.value.entries()) codebooks.set(centroid, (part * CENTROIDS + c) * width);
  }
  return codebooks;
}

/** Gives the codes of a vector: the nearest centroid of each part; of equal ones, the first. */
export function quantiser(codebooks: Float32Array, parts: number): (vector: Float32Array) => Uint8Array {
  const width = codebooks.length / CENTROIDS / parts;
  const codeOf = (vector: Float32Array, part: number) => {
    let [best, code] = [Number.POSITIVE_INFINITY, 0];
    for (let c = 0; c < CENTROIDS; c++) {
      let distance = 0;
      for (let k = 0, at = (part * CENTROIDS + c) * width; k < width; k++, at++)
        distance += (vector[part * width + k]! - codebooks[at]!) ** 2;
      if (distance < best) [best, code] = [distance, c];
    }
    return code;
  };
  return (vector) => Uint8Array.from({ length: parts }, (_, part) => codeOf(vector, part));
}

export async function writeCodebooks(folder: string, type: string, codebooks: Float32Array, parts: number) {
  const shape = [parts, CENTROIDS, codebooks.length / CENTROIDS / parts];
  await writeFile(join(folder, `${type}.codebooks.npy`), npy(codebooks, shape));
}

/** How the codes are decoded, in words that need nothing of this program. */
export function describeCodes(parts: number, format: Format) {
  const file = format === 'npy' ? 'TYPE.codes.npy' : 'TYPE.parquet';
  return {
    quantised: {
      parts,
      centroids: CENTROIDS,
      codes: `${file}: uint8 [entities, ${parts}]`,
      codebooks: `TYPE.codebooks.npy: float32 [${parts}, ${CENTROIDS}, dim / ${parts}]`,
      decode: `entities[i] = concatenate([codebooks[m, codes[i, m]] for m in range(${parts})])`,
    },
  };
}
