import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import type { GraphConfig } from '../config/resolve.ts';
import { FatalError, RetryableError, UsageError } from '../errors/errors.ts';
import { npy, npyHeader } from '../evaluation/graph/npy.ts';
import type { EntityKey } from '../graph/entity.ts';
import type { GraphStore } from '../graph/graph-store.ts';
import { fingerprint, type Head } from '../graph/head.ts';
import { openForReading } from '../state/open.ts';
import type { CommandContext } from './context.ts';
import { describeModel, inWholeFolder, refuseFilled } from './evaluate/export.ts';
import { count } from './format.ts';
import { collect, example } from './options.ts';
import type { Output } from './output.ts';
import { selectGraphs } from './select.ts';
import { onSignal, type Signals } from './signals.ts';

const FORMATS = ['npy', 'word2vec', 'csv'] as const;
type Format = (typeof FORMATS)[number];

/** Vectors read and written at a time. */
const BATCH = 4_096;

/** Puts `twhin export` on the command line. */
export function addExportCommand(program: Command, { config, output }: CommandContext): void {
  program
    .command('export')
    .description('write the vectors of a graph for other programs, as of its last commit')
    .requiredOption('--graph <name>', 'the graph')
    .requiredOption('--out <folder>', 'a folder that does not exist yet')
    .addOption(new Option('--format <format>', 'format of the vectors').choices(FORMATS).default('npy'))
    .option('--type <type>', 'only entities of this type; may be repeated', collect, [])
    .addHelpText('after', ABOUT)
    .addHelpText('after', example('twhin export --graph engagement --out vectors --type user --type tweet'))
    .action(async ({ graph, out, format, type }) => {
      const [found] = selectGraphs(await config(), [graph]);
      if (found !== undefined) await exportGraph(found, { folder: out, format, types: type }, output);
    });
}

const ABOUT = `
For each type:
  npy       TYPE.npy, float32 [entities, dim], and TYPE.txt, the entity of each row
  word2vec  TYPE.bin, as gensim and others read it; in an id, a space is %20 and a percent sign %25
  csv       TYPE.csv: entity, v0, v1, …
Beside them relations.npy, reciprocals.npy, relations.txt and model.json, which says how to score. The folder appears
once it is whole. It can be written while an updater runs.`;

interface ExportAsked {
  readonly folder: string;
  readonly format: Format;
  /** None: all types. */
  readonly types: readonly string[];
}

/** @throws UsageError for an unknown type or a folder that holds something; FatalError `store-missing` where there is no store. */
async function exportGraph(
  graph: GraphConfig,
  { folder, format, types }: ExportAsked,
  output: Output,
): Promise<void> {
  const known = graph.model.entityTypes;
  const unknown = types.find((type) => !known.includes(type));
  if (unknown !== undefined) {
    const seen = JSON.stringify(unknown);
    throw new UsageError('entity', `--type: expected one of ${known.join(', ')}, seen ${seen}`);
  }
  await refuseFilled(folder, '--out');
  const store = await openForReading(graph);
  const signals = onSignal();
  try {
    const head = await store?.head();
    if (store === undefined || head === undefined) {
      throw new FatalError(
        'store-missing',
        `${graph.name} has no store yet; start it with: twhin run --graph ${graph.name}`,
      );
    }
    let written = 0;
    await inWholeFolder(folder, async (partial) => {
      for (const type of types.length > 0 ? types : known) {
        const vectors = { store, type, dim: graph.model.dim, entities: head.entities[type] ?? 0 };
        written += await writeType(partial, format, vectors, signals, (done) =>
          output.status(`${graph.name}: ${count(written + done)} vectors written`),
        );
      }
      await writeModel(partial, graph, store, head);
    });
    output.statusDone();
    output.out(`${count(written)} vectors of ${graph.name} in ${folder}`);
  } finally {
    output.statusDone();
    signals.ignore();
    await store?.close();
  }
}

interface TypeVectors {
  readonly store: GraphStore;
  readonly type: string;
  readonly dim: number;
  /** How many there are, by the store's head. */
  readonly entities: number;
}

/** Gives the number of vectors. */
async function writeType(
  folder: string,
  format: Format,
  { store, type, dim, entities }: TypeVectors,
  signals: Signals,
  progress: (done: number) => void,
): Promise<number> {
  const writer = WRITERS[format](folder, type, entities, dim);
  let done = 0;
  let batch: { key: EntityKey; row: number }[] = [];
  const flush = async () => {
    if (signals.interrupted()) throw new RetryableError('interrupted', 'interrupted; nothing was exported');
    const vectors = await store.readVectors(batch.map(({ row }) => row));
    for (const { key, row } of batch) {
      const bytes = vectors.get(row)?.bytes;
      if (bytes === undefined)
        throw new FatalError('export', `${key} has no vector in the store; run twhin check`);
      await writer.add(key, bytes);
    }
    done += batch.length;
    batch = [];
    progress(done);
  };
  try {
    for await (const { key, row } of store.entities(type)) {
      batch.push({ key, row });
      if (batch.length === BATCH) await flush();
    }
    await flush();
    if (done !== entities)
      throw new FatalError(
        'export',
        `${done} entities of type ${type} are stored, and the head counts ${entities}; run twhin check`,
      );
  } finally {
    await writer.end();
  }
  return done;
}

/** Takes the vectors of a type, one after the other. */
interface VectorWriter {
  /** bytes: little-endian float32. */
  add(entity: EntityKey, bytes: Uint8Array): Promise<void>;
  end(): Promise<void>;
}

const WRITERS: Readonly<
  Record<Format, (folder: string, type: string, rows: number, dim: number) => VectorWriter>
> = {
  npy: (folder, type, rows, dim) => {
    const [vectors, names] = [open(join(folder, `${type}.npy`)), open(join(folder, `${type}.txt`))];
    vectors.write(npyHeader(rows, dim));
    return {
      add: async (entity, bytes) => {
        await put(vectors, bytes);
        await put(names, `${entity}\n`);
      },
      end: async () => {
        await ended(vectors);
        await ended(names);
      },
    };
  },
  word2vec: (folder, type, rows, dim) => {
    const file = open(join(folder, `${type}.bin`));
    file.write(`${rows} ${dim}\n`);
    return {
      add: async (entity, bytes) => {
        await put(file, `${entity.replaceAll('%', '%25').replaceAll(' ', '%20')} `);
        await put(file, bytes);
        await put(file, '\n');
      },
      end: () => ended(file),
    };
  },
  csv: (folder, type, _, dim) => {
    const file = open(join(folder, `${type}.csv`));
    file.write(`entity,${Array.from({ length: dim }, (_, k) => `v${k}`).join(',')}\n`);
    return {
      add: (entity, bytes) => {
        const numbers = Buffer.from(bytes);
        const cells = Array.from({ length: dim }, (_, k) => shortest(numbers.readFloatLE(4 * k)));
        return put(file, `"${entity.replaceAll('"', '""')}",${cells.join(',')}\n`);
      },
      end: () => ended(file),
    };
  },
};

/** The fewest digits that give the same float32 again. */
function shortest(value: number): string {
  for (let digits = 6; digits < 9; digits++) {
    const text = String(Number(value.toPrecision(digits)));
    if (Math.fround(Number(text)) === value) return text;
  }
  return String(Number(value.toPrecision(9)));
}

function open(path: string): WriteStream {
  const file = createWriteStream(path);
  // The write or the end that follows meets it.
  file.on('error', () => undefined);
  return file;
}

async function put(file: WriteStream, what: string | Uint8Array): Promise<void> {
  if (file.errored) throw file.errored;
  if (!file.write(what)) await once(file, 'drain');
}

async function ended(file: WriteStream): Promise<void> {
  if (file.errored) throw file.errored;
  file.end();
  await once(file, 'finish');
}

/** Relation vectors, and how to score with them. */
async function writeModel(
  folder: string,
  { model, trainer }: GraphConfig,
  store: GraphStore,
  head: Head,
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
  };
  await writeFile(join(folder, 'model.json'), `${JSON.stringify(description, null, 2)}\n`);
}
