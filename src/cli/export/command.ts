import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { makeNamed } from '../../adapters/atomic-file.ts';
import { npy } from '../../adapters/npy.ts';
import type { GraphConfig } from '../../config/resolve.ts';
import { FatalError, reasonOf, UsageError } from '../../errors/errors.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import { fingerprint, type Head, refuseOther } from '../../graph/head.ts';
import { describeModel } from '../../model/settings.ts';
import type { CommandContext } from '../context.ts';
import { asOf, count } from '../format.ts';
import { collect, example, positiveInteger } from '../options.ts';
import { asLive, type ChosenStore, openChosen, selectGraphs, selectStores, tellOfLag } from '../select.ts';
import { describeCodes, quantiser, refuseParts, trainCodebooks, writeCodebooks } from './quantised.ts';
import { countVectors, FORMATS, type Format, openWriter, type StoredVectors, vectorsOf } from './vectors.ts';

const PROGRESS_EVERY = 4_096;

export function addExportCommand(command: Command, context: CommandContext): void {
  command
    .description('write the vectors of a graph for other programs, as of its last checkpoint')
    .requiredOption('--graph <name>', 'the graph')
    .requiredOption('--out <folder>', 'a folder that does not exist yet')
    .addOption(new Option('--format <format>', 'format of the vectors').choices(FORMATS).default('npy'))
    .option('--type <type>', 'only entities of this type; may be repeated', collect, [])
    .option('--pq <parts>', 'quantise: so many bytes a vector, one for each part of it', positiveInteger)
    .addHelpText('after', example(EXAMPLES, ABOUT))
    .action(async ({ graph, out, format, type, pq }) => {
      const loaded = await context.config();
      const { length: shards } = selectGraphs(loaded, [graph]);
      if (shards > 1)
        throw new UsageError(
          `${graph} is cut into ${shards} shards, and their stores are exported one by one: --graph ${graph}-0, and so on. ` +
            'The topic with the embeddings has the vectors of all of them',
        );
      for (const each of selectStores(loaded, context.output, [graph]))
        await exportGraph(each, { folder: out, format, types: type, parts: pq }, context);
    });
}

const ABOUT = `
For each type:
  npy       TYPE.npy, float32 [entities, dim], and TYPE.txt, the entity of each row
  parquet   TYPE.parquet: entity, vector (a list of float32)
With --pq 16, they hold 16 bytes a vector in place of its numbers, and TYPE.codebooks.npy what they stand for:
  npy       TYPE.codes.npy, uint8 [entities, 16], and TYPE.txt
  parquet   TYPE.parquet: entity, codes (16 bytes)
Beside them relations.npy, reciprocals.npy, relations.txt and model.json, which says how to score and to decode, and the step
that the vectors are as of. The folder appears once it is whole. It can be written while an updater runs; entities that
are newer than the last checkpoint are left out.`;

const EXAMPLES = `twhin export --graph engagement --out vectors --type user --type tweet
twhin export --graph engagement --out small --format parquet --pq 16`;

interface ExportAsked {
  readonly folder: string;
  readonly format: Format;
  /** None: all types. */
  readonly types: readonly string[];
  /** Bytes of a quantised vector; undefined for whole vectors. */
  readonly parts: number | undefined;
}

/**
 * @throws UsageError for an unknown type, parts that don't fit, or a folder that holds something; FatalError `store-missing`
 * where there is no store, `store-model` where it is another model's, `file` where the folder can't be written.
 */
async function exportGraph(
  { graph: plain, place }: ChosenStore,
  { folder, format, types, parts }: ExportAsked,
  { config, output, progress, stopping }: CommandContext,
): Promise<void> {
  const { graph } = await asLive(await config(), plain, config);
  const { dim, entityTypes: known } = graph.model;
  const unknown = types.find((type) => !known.includes(type));
  if (unknown !== undefined) {
    const seen = JSON.stringify(unknown);
    throw new UsageError(`--type: expected one of ${known.join(', ')}, seen ${seen}`);
  }
  if (parts !== undefined) refuseParts(parts, dim);
  await refuseFilled(folder);
  await using store = await openChosen({ graph, place });
  const head = await store.head();
  if (head === undefined) {
    throw new FatalError(
      'store-missing',
      `the store of ${graph.name} has no commit yet; twhin run --graph ${graph.name} makes one`,
    );
  }
  refuseOther(head, graph);
  const { step = 0, at } = (await store.checkpoint())?.head ?? {};
  let written = 0;
  // An empty folder of that name gives way.
  await makeNamed(folder, async (partial) => {
    await mkdir(partial, { recursive: true });
    for (const type of types.length > 0 ? new Set(types) : known) {
      const stored = { store, type, dim, shard: graph.shard, stopping };
      const entities = await countVectors(stored, (head.shard ?? head).entities[type] ?? 0);
      written += await writeType({ ...stored, entities }, { folder: partial, format, parts }, (text) =>
        progress(`${graph.name}: ${count(written)} vectors written; ${text}`),
      );
    }
    const codes = parts === undefined ? {} : describeCodes(parts, format);
    await writeModel(partial, graph, store, { ...head, step }, codes);
  });
  output.out(`${count(written)} vectors of ${graph.name} in ${folder}, as of ${asOf({ step, at })}`);
  await tellOfLag(store, output);
}

/** Gives the number of vectors. */
async function writeType(
  stored: StoredVectors,
  { folder, format, parts }: Omit<ExportAsked, 'types'>,
  progress: CommandContext['progress'],
): Promise<number> {
  const { type } = stored;
  let coded = (vector: Float32Array): Float32Array | Uint8Array => vector;
  if (parts !== undefined) {
    const codebooks = await trainCodebooks(stored, parts, progress);
    await writeCodebooks(folder, type, codebooks, parts);
    coded = quantiser(codebooks, parts);
  }
  await using writer = await openWriter(format, folder, stored, parts);
  let done = 0;
  for await (const { key, vector } of vectorsOf(stored)) {
    await writer.add(key, coded(vector));
    if (++done % PROGRESS_EVERY === 0) progress(`${type}: ${count(done)}`);
  }
  await writer.end();
  return done;
}

/** Relation vectors, and how to score with them and those of entities. */
async function writeModel(
  folder: string,
  { model, trainer }: GraphConfig,
  store: GraphStore,
  { graph, step, space, watermark: at }: Head,
  codes: object,
): Promise<void> {
  const { dim, relations } = model;
  for (const [inverse, name] of ['relations', 'reciprocals'].entries()) {
    const rows = await store.readRows(relations.map((_, relation) => 2 * relation + inverse));
    const values = new Float32Array(rows.length * dim);
    rows.forEach((row, i) => {
      values.set(row?.subarray(0, dim) ?? [], i * dim);
    });
    await writeFile(join(folder, `${name}.npy`), npy(values, [rows.length, dim]));
  }
  await writeFile(join(folder, 'relations.txt'), relations.map(({ name }) => `${name}\n`).join(''));
  const origin = { graph, space, step, at, fingerprint: fingerprint(model), relations };
  const description = { ...origin, ...describeModel(trainer.model), ...codes };
  await writeFile(join(folder, 'model.json'), `${JSON.stringify(description, null, 2)}\n`);
}

/** Refuses a folder that holds something. @throws UsageError. */
async function refuseFilled(folder: string): Promise<void> {
  const found = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new UsageError(`--out: ${folder} can't be written: ${reasonOf(error)}`);
  });
  if (found.length > 0)
    throw new UsageError(`--out: ${folder} is not empty; name a folder that does not exist yet`);
}
