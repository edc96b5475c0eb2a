import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { decodeVector } from '../../../topics/index.ts';
import { UsageError } from '../../errors/errors.ts';
import { npyHeader } from '../../evaluation/graph/npy.ts';
import { CENTROIDS, ProductQuantiser, partsOf } from '../../model/product-quantiser.ts';
import { Random } from '../../sampling/random.ts';
import { type StoredVectors, vectorsOf } from './stored-vectors.ts';
import { CODE_FORMATS, type CodeFormat, codesFile, type Format, type VectorWriter } from './writers.ts';

/** Vectors of a type that its centroids are found on: 128 for each. */
const SAMPLE = 128 * CENTROIDS;
/** The same store gives the same codes. */
export const SEED = 1;

/** @throws UsageError for parts that don't divide dim, or a format without codes. */
export function codeFormat(parts: number, format: Format, dim: number): CodeFormat {
  const possible = partsOf(dim);
  if (!possible.includes(parts))
    throw new UsageError(
      `--pq: vectors of ${dim} numbers are cut into equal parts, ${possible.join(', ')} of them; seen ${parts}`,
    );
  const found = CODE_FORMATS.find((each) => each === format);
  if (found === undefined)
    throw new UsageError(`--pq: codes are written as ${CODE_FORMATS.join(' or ')}; seen --format ${format}`);
  return found;
}

/** Finds the centroids of a type on a sample of its vectors. @throws as `vectorsOf`. */
export async function trainQuantiser(
  stored: StoredVectors,
  parts: number,
  status: (text: string) => void,
): Promise<ProductQuantiser> {
  const { type, dim, entities, stopping } = stored;
  const random = Random.seeded(SEED);
  const sample = new Float32Array(Math.min(SAMPLE, entities) * dim);
  let filled = 0;
  for await (const { bytes } of vectorsOf(stored, sampling(entities, random)))
    sample.set(decodeVector(bytes), dim * filled++);
  return ProductQuantiser.train(
    sample,
    { dim, parts },
    {
      below: (n) => random.below(n),
      turn: async (share) => {
        status(`centroids of ${type}: ${Math.floor(100 * share)} %`);
        await breathe();
        stopping.throwIfAborted();
      },
    },
  );
}

/** Draws at most {@link SAMPLE} of so many vectors: asked for each in turn, it says whether the vector is drawn. */
export function sampling(vectors: number, random: Random): () => boolean {
  let [left, needed] = [vectors, Math.min(SAMPLE, vectors)];
  // Each has the chance with which the draw, whose size is known, still needs it.
  return () => {
    const drawn = random.below(left--) < needed;
    if (drawn) needed--;
    return drawn;
  };
}

/** Writes the codes of the vectors it is given. */
export function quantising(writer: VectorWriter, quantiser: ProductQuantiser): VectorWriter {
  const { parts } = quantiser.cut;
  return {
    add: (entity, bytes) => {
      const codes = new Uint8Array(parts);
      quantiser.encode(decodeVector(bytes), codes);
      return writer.add(entity, codes);
    },
    end: () => writer.end(),
    close: () => writer.close(),
  };
}

/** Writes the codebooks of a type: float32 [parts, 256, dim / parts]. */
export async function writeCodebooks(
  folder: string,
  type: string,
  quantiser: ProductQuantiser,
): Promise<void> {
  const { cut, codebooks } = quantiser;
  const numbers = Buffer.alloc(codebooks.byteLength);
  codebooks.forEach((value, i) => void numbers.writeFloatLE(value, 4 * i));
  const header = npyHeader([cut.parts, CENTROIDS, cut.dim / cut.parts]);
  await writeFile(join(folder, `${type}.codebooks.npy`), Buffer.concat([header, numbers]));
}

/** How the codes are decoded, in words that need nothing of this program. */
export function describeCodes(parts: number, format: CodeFormat) {
  return {
    quantised: {
      parts,
      centroids: CENTROIDS,
      codes: `${codesFile(format, 'TYPE')}: uint8 [entities, ${parts}]`,
      codebooks: `TYPE.codebooks.npy: float32 [${parts}, ${CENTROIDS}, dim / ${parts}]`,
      decode: `entities[i] = concatenate([codebooks[m, codes[i, m]] for m in range(${parts})])`,
    },
  };
}
