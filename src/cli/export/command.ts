import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import type { GraphConfig } from '../../config/resolve.ts';
import { FatalError, UsageError } from '../../errors/errors.ts';
import { npy } from '../../evaluation/graph/npy.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import { fingerprint, type Head } from '../../graph/head.ts';
import type { Shard } from '../../graph/shard.ts';
import { openForReading, refuseNoStore } from '../../state/open.ts';
import type { CommandContext } from '../context.ts';
import { describeModel, inWholeFolder, refuseFilled } from '../evaluate/export.ts';
import { count } from '../format.ts';
import { collect, example, positiveInteger } from '../options.ts';
import { selectGraphs } from '../select.ts';
import { codeFormat, describeCodes, quantising, trainQuantiser, writeCodebooks } from './quantised.ts';
import { type StoredVectors, vectorsOf } from './stored-vectors.ts';
import {
  type CodeFormat,
  FORMATS,
  type Format,
  openCodes,
  openVectors,
  type VectorWriter,
} from './writers.ts';

const PROGRESS_EVERY = 4_096;

/** Puts `twhin export` on the command line. */
export function addExportCommand(program: Command, { config, output, stopping }: CommandContext): void {
  program
    .command('export')
    .description('write the vectors of a graph for other programs, as of its last commit')
    .requiredOption('--graph <name>', 'the graph')
    .requiredOption('--out <folder>', 'a folder that does not exist yet')
    .addOption(new Option('--format <format>', 'format of the vectors').choices(FORMATS).default('npy'))
    .option('--type <type>', 'only entities of this type; may be repeated', collect, [])
    .option('--pq <parts>', 'quantise: so many bytes a vector, one for each part of it', positiveInteger)
    .addHelpText('after', ABOUT)
    .addHelpText('after', example(EXAMPLES))
    .action(async ({ graph, out, format, type, pq }) => {
      const loaded = await config();
      const [found, another] = selectGraphs(loaded, [graph]);
      if (another !== undefined) throw oneShard(graph, found?.shard);
      if (found !== undefined) refuseNoStore([found], loaded.state);
      if (found !== undefined)
        await exportGraph(found, { folder: out, format, types: type, parts: pq }, { output, stopping });
    });
}

const ABOUT = `
For each type:
  npy       TYPE.npy, float32 [entities, dim], and TYPE.txt, the entity of each row
  parquet   TYPE.parquet: entity, vector (a list of float32)
  word2vec  TYPE.bin, as gensim and others read it; in an id, a space is %20 and a percent sign %25
  csv       TYPE.csv: entity, v0, v1, …
With --pq 16, npy and parquet hold 16 bytes a vector in place of its numbers, and TYPE.codebooks.npy what they stand for:
  npy       TYPE.codes.npy, uint8 [entities, 16], and TYPE.txt
  parquet   TYPE.parquet: entity, codes (16 bytes)
Beside them relations.npy, reciprocals.npy, relations.txt and model.json, which says how to score and to decode. The
folder appears once it is whole. It can be written while an updater runs.`;

const EXAMPLES = `twhin export --graph engagement --out vectors --type user --type tweet
twhin export --graph engagement --out small --format parquet --pq 16`;

function oneShard(graph: string, shard: Shard | undefined): UsageError {
  return new UsageError(
    `${graph} is cut into ${shard?.count} shards, and their stores are exported one by one: --graph ${graph}-0, and so on. The ` +
      `topic with the embeddings has the vectors of all of them`,
  );
}

interface ExportAsked {
  readonly folder: string;
  readonly format: Format;
  /** None: all types. */
  readonly types: readonly string[];
  /** Bytes of a quantised vector; undefined for whole vectors. */
  readonly parts: number | undefined;
}

/** In what a vector is quantised. */
interface Codes {
  readonly parts: number;
  readonly format: CodeFormat;
}

/**
 * @throws UsageError for an unknown type, parts that don't fit, or a folder that holds something; FatalError `store-missing`
 * where there is no store, `export` where the folder can't be written.
 */
async function exportGraph(
  graph: GraphConfig,
  { folder, format, types, parts }: ExportAsked,
  { output, stopping }: Pick<CommandContext, 'output' | 'stopping'>,
): Promise<void> {
  const { dim, entityTypes: known } = graph.model;
  const unknown = types.find((type) => !known.includes(type));
  if (unknown !== undefined) {
    const seen = JSON.stringify(unknown);
    throw new UsageError(`--type: expected one of ${known.join(', ')}, seen ${seen}`);
  }
  const codes = parts === undefined ? undefined : { parts, format: codeFormat(parts, format, dim) };
  await refuseFilled(folder, '--out');
  await using store = await openForReading(graph);
  try {
    const head = await store?.head();
    if (store === undefined || head === undefined) {
      throw new FatalError(
        'store-missing',
        `the store of ${graph.name} has no commit yet; twhin run --graph ${graph.name} makes one`,
      );
    }
    const status = (text: string) => output.status(`${graph.name}: ${text}`);
    let written = 0;
    await inWholeFolder(folder, async (partial) => {
      for (const type of types.length > 0 ? types : known) {
        const entities = (head.shard ?? head).entities[type] ?? 0;
        const stored = { store, type, dim, entities, shard: graph.shard, stopping };
        const writer =
          codes === undefined
            ? await openVectors(format, { folder: partial, type, rows: stored.entities }, dim)
            : await openQuantised(partial, stored, codes, status);
        written += await writeAll(stored, writer, (done) =>
          status(`${count(written + done)} vectors written`),
        );
      }
      await writeModel(partial, graph, store, head, codes);
    });
    output.statusDone();
    output.out(`${count(written)} vectors of ${graph.name} in ${folder}`);
  } finally {
    output.statusDone();
  }
}

/** Finds and writes the codebooks of a type, and opens the file of its codes. */
async function openQuantised(
  folder: string,
  stored: StoredVectors,
  { parts, format }: Codes,
  status: (text: string) => void,
): Promise<VectorWriter> {
  const { type, entities } = stored;
  const quantiser = await trainQuantiser(stored, parts, status);
  await writeCodebooks(folder, type, quantiser);
  return quantising(await openCodes(format, { folder, type, rows: entities }, parts), quantiser);
}

/** Gives the number of vectors. */
async function writeAll(
  stored: StoredVectors,
  writer: VectorWriter,
  progress: (done: number) => void,
): Promise<number> {
  let done = 0;
  try {
    for await (const { key, bytes } of vectorsOf(stored)) {
      await writer.add(key, bytes);
      if (++done % PROGRESS_EVERY === 0) progress(done);
    }
    await writer.end();
  } finally {
    await writer.close();
  }
  return done;
}

/** Relation vectors, and how to score with them. */
async function writeModel(
  folder: string,
  { model, trainer }: GraphConfig,
  store: GraphStore,
  head: Head,
  codes: Codes | undefined,
): Promise<void> {
  const { dim, relations } = model;
  const matrix = async (inverse: 0 | 1) => {
    const rows = await store.readRows(relations.map((_, relation) => 2 * relation + inverse));
    const values = new Float32Array(rows.length * dim);
    rows.forEach((row, i) => {
      values.set(row?.floats.subarray(0, dim) ?? [], i * dim);
    });
    return npy(values, rows.length, dim);
  };
  await writeFile(join(folder, 'relations.npy'), await matrix(0));
  await writeFile(join(folder, 'reciprocals.npy'), await matrix(1));
  await writeFile(join(folder, 'relations.txt'), relations.map(({ name }) => `${name}\n`).join(''));
  const { graph, step, space, watermark } = head;
  const description = {
    graph,
    space,
    step,
    at: watermark,
    fingerprint: fingerprint(model),
    relations,
    ...describeModel(trainer.model),
    ...(codes && describeCodes(codes.parts, codes.format)),
  };
  await writeFile(join(folder, 'model.json'), `${JSON.stringify(description, null, 2)}\n`);
}
