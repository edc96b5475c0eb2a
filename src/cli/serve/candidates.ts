import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { MOST_ITEMS } from '../../adapters/http/limits.ts';
import { ServedRun } from '../../compose/serve.ts';
import { RetryableError, reasonOf, TwhinError, UsageError } from '../../errors/errors.ts';
import type { EntityKey } from '../../graph/entity.ts';
import { userKey } from '../../serve/asked-entities.ts';
import { SURFACES, type SurfaceName, Surfaces } from '../../serve/surfaces.ts';
import type { CommandContext } from '../context.ts';
import { count } from '../format.ts';
import { collect, example, positiveInteger, WHOLE_GRAPHS_HELP } from '../options.ts';
import { selectWholeGraphs } from '../select.ts';
import { onSignal, type Signals } from '../signals.ts';
import { ADS_OF_ONE, begin, beginScanning, EDGES, EDGES_OF_ONE } from './begin.ts';
import { openLists, type UserList } from './list-file.ts';

const LOOK_MS = 100;
/** Lines between two looks at signals and the progress. */
const LOOK_LINES = 100;
const DEFAULT_K = 50;

/** Puts `twhin candidates` on the command line. */
export function addCandidatesCommand(program: Command, context: CommandContext): void {
  program
    .command('candidates')
    .description('write lists for many users, as of one moment')
    .addOption(
      new Option('--surface <name>', 'what the lists are for').choices(SURFACES).makeOptionMandatory(),
    )
    .requiredOption('--users <file>', 'ids of users, one on a line, or all: every user with a vector')
    .requiredOption(
      '--out <file>',
      'file to write: Parquet where the name ends with .parquet, else JSON lines',
    )
    .option('--k <n>', 'entities in a list', listLength, DEFAULT_K)
    .option('--graph <name>', WHOLE_GRAPHS_HELP, collect, [])
    .addHelpText('after', ABOUT)
    .addHelpText('after', example(EXAMPLES))
    .action(async ({ surface, users, out, k, graph }) => {
      await writeLists(context, { surface, users, out, k, graphs: graph });
    });
}

const ABOUT = `
Reads the topics like twhin serve until all is read, then stops reading and writes a line for each user:
  {"user":"user:1","items":[{"entity":"tweet:7","score":-6.1}],"fallback":null}
fallback is "popular" for a user without a vector. A Parquet file has a row for each entity of a list: user, surface, rank
(from 1), entity, score, fallback. The file appears when it is whole.`;

const EXAMPLES = `twhin candidates --surface who-to-follow --users all --k 50 --out lists.ndjson
twhin candidates --surface home --users users.txt --out lists.parquet`;

function listLength(text: string): number {
  const k = positiveInteger(text);
  if (k > MOST_ITEMS) throw new InvalidArgumentError(`expected at most ${MOST_ITEMS}`);
  return k;
}

interface ListsAsked {
  readonly surface: SurfaceName;
  readonly users: string;
  readonly out: string;
  readonly k: number;
  readonly graphs: readonly string[];
}

/** @throws RetryableError `interrupted` after a signal; no file is left half written. */
async function writeLists(
  { config: load, connect, log: logOf, output }: CommandContext,
  { surface, users, out, k, graphs: names }: ListsAsked,
): Promise<void> {
  const config = await load();
  const graphs = selectWholeGraphs(config, names);
  const asked = users === 'all' ? undefined : await readUsers(users);
  const log = logOf();
  const signals = onSignal();
  const connection = await connect(config, log);
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => undefined);
  // Nobody waits for one list while another is made: the main thread scans.
  const scanning = beginScanning(0, failure.reject);
  const outside = {
    connection,
    log,
    edgesOfOne: EDGES_OF_ONE,
    edges: EDGES,
    gate: scanning.gate,
    scanners: scanning.scanners,
    visible: () => undefined,
    failed: failure.reject,
  };
  const runs = graphs.map((graph) => new ServedRun(config, graph, outside));
  try {
    const surfaces = new Surfaces({
      graphs: runs.map(({ graph }) => graph),
      passes: scanning.passes,
      adsOfOne: ADS_OF_ONE,
    });
    // Refuses a surface that no graph has before anything is read.
    await surfaces.candidates({ surface, user: userKey('0'), k: 1 });
    for (const run of runs) await begin(run, signals.stopping, log);
    for (;;) {
      const reasons = runs.flatMap((run) => run.unready());
      refuseInterrupted(signals, out);
      if (reasons.length === 0) break;
      output.status(reasons.join('; '));
      await Promise.race([sleep(LOOK_MS), failure.promise]);
    }
    // From here on nothing moves: all lists are of one moment.
    for (const run of runs) await run.stop();
    const all = asked ?? [
      ...new Set(runs.flatMap(({ graph }) => [...(graph.spaces.current?.table('user')?.names() ?? [])])),
    ];
    const written = await write({ out, surface }, all, signals, async (user, i) => {
      if (i % LOOK_LINES === 0) output.status(`${count(i)} of ${count(all.length)} lists`);
      const { items, fallback } = await surfaces.candidates({ surface, user, k });
      return { user, items, fallback };
    });
    output.statusDone();
    output.out(`${count(written)} lists of ${surface} in ${out}`);
  } finally {
    output.statusDone();
    for (const run of runs) await run.stop();
    await connection.close();
    signals.ignore();
  }
}

/** Writes a list for each user, beside the file, and renames it once it is whole. Gives the number of lists. */
async function write(
  { out, surface }: Pick<ListsAsked, 'out' | 'surface'>,
  users: readonly EntityKey[],
  signals: Signals,
  listOf: (user: EntityKey, i: number) => Promise<UserList>,
): Promise<number> {
  const partial = `${out}.partial`;
  try {
    const file = await openLists(partial, surface, out.endsWith('.parquet'));
    try {
      for (const [i, user] of users.entries()) {
        // Signals are heard between two lists.
        if (i % LOOK_LINES === 0) await sleep(0);
        refuseInterrupted(signals, out);
        await file.add(await listOf(user, i));
      }
      await file.end();
    } finally {
      await file.close();
    }
    await rename(partial, out);
    return users.length;
  } catch (error) {
    // Where its folder is none, nothing is there to remove; what failed is told below.
    await rm(partial, { force: true }).catch(() => undefined);
    if (error instanceof TwhinError) throw error;
    throw new UsageError('out', `--out: ${out} can't be written: ${reasonOf(error)}`, { cause: error });
  }
}

/** @throws RetryableError `interrupted` after a signal. */
function refuseInterrupted(signals: Signals, out: string): void {
  if (signals.interrupted()) throw new RetryableError('interrupted', `interrupted; ${out} was not written`);
}

/** @throws UsageError `users` naming the file and the line. */
async function readUsers(path: string): Promise<EntityKey[]> {
  const found: EntityKey[] = [];
  const input = createReadStream(path);
  let line = 0;
  try {
    await once(input, 'open');
    for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      line++;
      const id = text.trim();
      if (id !== '') found.push(userKey(id));
    }
  } catch (error) {
    const where = line > 0 ? `${path}, line ${line}` : path;
    throw new UsageError('users', `--users: ${where}: ${reasonOf(error)}`, { cause: error });
  }
  return found;
}
