import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { makeNamed } from '../../adapters/atomic-file.ts';
import { MOST_ITEMS } from '../../adapters/http/serving-schema.ts';
import { openParquet, type ParquetColumn } from '../../adapters/parquet.ts';
import { StreamedFile } from '../../adapters/streamed-file.ts';
import { MOST_THREADS, Serving } from '../../compose/serving.ts';
import type { Config } from '../../config/resolve.ts';
import { FatalError, reasonOf, UsageError } from '../../errors/errors.ts';
import type { EntityKey } from '../../graph/entity.ts';
import type { Answer } from '../../serve/answers.ts';
import { keyOfType } from '../../serve/entities.ts';
import { planOf, surfaceOf } from '../../serve/plan.ts';
import type { CommandContext } from '../context.ts';
import { count } from '../format.ts';
import { collect, example, WHOLE_GRAPHS_HELP, wholeNumber } from '../options.ts';
import { selectWholeGraphs } from '../select.ts';
import { edgesWithin, memoryHere } from './bounds.ts';

/** Lines between two looks at signals and the progress. */
const LOOK_LINES = 100;
const DEFAULT_K = 50;
/** Lists that are made at a time for each thread: four queries share a pass. */
const LISTS_OF_A_THREAD = 4;
/** Stands for any entity of a type where only the type counts. */
const ANY = '0';

export function addCandidatesCommand(command: Command, context: CommandContext): void {
  command
    .description('write lists for many entities, as of one moment')
    .option('--from <type>', 'type of the entities that the lists are for')
    .option('--to <type>', 'type of what the lists show')
    .option(
      '--surface <name>',
      'a list of the configuration, or home, who-to-follow or ads, in place of --to',
    )
    .option(
      '--ids <file>',
      'ids of entities, one on a line (default: every entity of the type with a vector)',
    )
    .requiredOption(
      '--out <file>',
      'file to write: Parquet where the name ends with .parquet, else JSON lines',
    )
    .option('--k <n>', 'entities in a list', wholeNumber(1, MOST_ITEMS), DEFAULT_K)
    .option('--graph <name>', WHOLE_GRAPHS_HELP, collect, [])
    .addHelpText('after', example(EXAMPLES, ABOUT))
    .action((asked) => writeLists(context, asked));
}

const ABOUT = `
Reads the topics like twhin serve until all is read, then stops reading and writes a line for each entity:
  {"from":"customer:1","items":[{"entity":"product:7","score":-6.1}],"fallback":null}
fallback is "popular" for an entity without a vector. A Parquet file has a row for each entity of a list: from, rank (from 1),
entity, score, fallback. The file appears when it is whole. --from may be left out where the surface is for one type.`;

const EXAMPLES = `twhin candidates --from customer --to product --k 50 --out lists.ndjson
twhin candidates --surface home --ids users.txt --out lists.parquet`;

interface ListsAsked {
  readonly surface?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly ids?: string | undefined;
  readonly out: string;
  readonly k: number;
  readonly graph: readonly string[];
}

/** Writes the lists, by entity in order. @throws RetryableError `interrupted` after a signal; FatalError `unknown-entity` for no list. */
async function writeLists(
  { config: load, connect, log: logOf, output, progress, stopping }: CommandContext,
  { surface, from, to, ids, out, k, graph: names }: ListsAsked,
): Promise<void> {
  const config = await load();
  const there = await stat(out).catch(() => undefined);
  // A device such as /dev/stdout would be gone: the file takes the place of what has its name.
  if (there?.isFile() === false) throw new UsageError(`--out: ${out} is no file; name a file`);
  const graphs = selectWholeGraphs(config, names);
  const type = from ?? typeOfSurface(config, surface);
  const listed = ids === undefined ? undefined : await readIds(ids, type);
  // Refuses what no graph can answer before anything is read, and reads the graph alone that answers.
  const asked = graphs.map((graph) => ({ name: graph.name, relations: graph.model.relations, graph }));
  const { graph } = planOf(asked, config.surfaces, { from: keyOfType(type, ANY), to, surface }).graph;
  const log = logOf();
  await using connection = await connect(config, log);
  const threads = Math.min(MOST_THREADS, availableParallelism());
  await using serving = new Serving(config, [graph], {
    ...{ connection, log, threads, edges: edgesWithin(undefined, 1, memoryHere()) },
    // Nobody waits for one list while another is made.
    waitingMs: Number.POSITIVE_INFINITY,
  });
  const [run] = serving.runs;
  let hasBegun = false;
  void serving.begin().then(() => {
    hasBegun = true;
  });
  await serving.ready((reasons) => {
    if (hasBegun && reasons.length > 0 && !run?.isReading)
      throw new FatalError('unknown-entity', `there is no list to write: ${reasons.join('; ')}`);
    progress(reasons.join('; '));
  });
  // From here on nothing moves: all lists are of one moment.
  await serving.freeze();
  const all = listed ?? [...(run?.spaces.current?.table(type)?.names() ?? [])];
  if (all.length === 0) throw noLists(ids, type, graph.name);
  const listOf = async (entity: EntityKey): Promise<EntityList> => {
    const { items, fallback } = await serving.surfaces.candidates({ from: entity, to, surface, k });
    return { from: entity, items, fallback };
  };
  await makeNamed(out, async (partial) => {
    await using file = await openLists(partial, out.endsWith('.parquet'));
    const making: Promise<EntityList>[] = [];
    for (const [i, entity] of all.entries()) {
      // Signals are heard between two lists.
      if (i % LOOK_LINES === 0) {
        progress(`${count(i)} of ${count(all.length)} lists`);
        await sleep(0);
      }
      stopping.throwIfAborted();
      const list = listOf(entity);
      // It may fail before its turn has come.
      list.catch(() => undefined);
      making.push(list);
      if (making.length >= LISTS_OF_A_THREAD * threads) await file.add(await making.shift()!);
    }
    for (const list of making) await file.add(await list);
    await file.end();
  });
  output.out(`${count(all.length)} lists in ${out}`);
}

/** The one type that a surface is for. @throws UsageError where there are several, or none is named. */
function typeOfSurface({ surfaces }: Config, name: string | undefined): string {
  if (name === undefined)
    throw new UsageError('expected --from TYPE and --to TYPE, or --surface NAME; seen none of them');
  const { from } = surfaceOf(surfaces, name);
  const [first = '', ...others] = from;
  if (others.length === 0) return first;
  throw new UsageError(`--from: expected one of ${from.join(', ')} for the surface ${name}, seen nothing`);
}

function noLists(ids: string | undefined, type: string, graph: string): FatalError {
  const reason =
    ids === undefined
      ? `no ${type} has a vector in the graph ${graph}: its updater has published none yet, or events name none`
      : `${ids} names no ${type}`;
  return new FatalError('unknown-entity', `there is no list to write: ${reason}`);
}

/** @throws UsageError naming the file and the line. */
async function readIds(path: string, type: string): Promise<EntityKey[]> {
  const found: EntityKey[] = [];
  const input = createReadStream(path);
  let line = 0;
  try {
    await once(input, 'open');
    for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      line++;
      const id = text.trim();
      if (id !== '') found.push(keyOfType(type, id));
    }
  } catch (error) {
    const where = line > 0 ? `${path}, line ${line}` : path;
    throw new UsageError(`--ids: ${where}: ${reasonOf(error)}`, { cause: error });
  }
  return found;
}

const ROWS_OF_GROUP = 16_384;

export interface EntityList extends Pick<Answer, 'items' | 'fallback'> {
  readonly from: EntityKey;
}

const COLUMNS: readonly ParquetColumn[] = [
  { name: 'from', type: 'text' },
  { name: 'rank', type: 'int32' },
  { name: 'entity', type: 'text' },
  { name: 'score', type: 'double', nullable: true },
  { name: 'fallback', type: 'text', nullable: true },
];

/** Opens a file for lists: Parquet, a row for each entity of a list, or a line of JSON for each list. It is whole after `end`. */
export async function openLists(path: string, parquet: boolean) {
  const file = parquet ? await openParquet(path, COLUMNS, ROWS_OF_GROUP) : new StreamedFile(path);
  const add = async ({ from, items, fallback }: EntityList): Promise<void> => {
    if (file instanceof StreamedFile) {
      const short = items.map(({ entity, score }) => ({ entity, score }));
      await file.put(`${JSON.stringify({ from, items: short, fallback })}\n`);
      return;
    }
    for (const [i, { entity, score }] of items.entries())
      await file.add([from, i + 1, entity, score, fallback]);
  };
  return { add, end: () => file.end(), [Symbol.asyncDispose]: () => file.close() };
}
