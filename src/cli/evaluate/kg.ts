import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { openBytes, splitLines } from '../../adapters/event-file/lines.ts';
import { temporaryFolder } from '../../adapters/leftovers.ts';
import {
  composeKnowledgeGraph,
  knowledgeGraph,
  readSpace,
  type TrainedGraph,
} from '../../compose/knowledge-graph.ts';
import { UsageError } from '../../errors/errors.ts';
import { predictLinks } from '../../evaluation/graph/link-prediction.ts';
import {
  type KnowledgeGraph,
  readGraph,
  readSnapshots,
  type TripleFile,
} from '../../evaluation/graph/triples.ts';
import type { CommandContext } from '../context.ts';
import { collect, example, JSON_HELP, positiveInteger } from '../options.ts';
import { exportVectors, refuseFilled } from './export.ts';
import { type KgReport, printKgReport, reportOf, type SeedResult } from './kg-report.ts';
import { EvaluationProgress } from './progress.ts';

/** Passes over the triples where nothing else is asked for: what a batch trainer would do. */
const PASSES = 20;
const MAX_LINE_BYTES = 65_536;

interface KgOptions {
  readonly train?: string;
  readonly valid?: string;
  readonly test?: string;
  readonly stream?: string | true;
  readonly passes?: number;
  readonly rank: 'valid' | 'test';
  readonly seeds: number;
  readonly set: readonly string[];
  readonly shards: number;
  readonly export?: string;
  readonly json?: boolean;
}

/** Puts `twhin evaluate kg` on the command line. */
export function addEvaluateKgCommand(evaluate: Command, context: CommandContext): void {
  evaluate
    .command('kg')
    .description('filtered link prediction on a knowledge graph, as the literature measures it')
    .option('--train <file>', 'training triples: head, relation and tail on a line, with tabs; plain or gzip')
    .option('--valid <file>', 'triples that are known too, and never trained')
    .option('--test <file>', 'triples that are ranked')
    .option(
      '--stream [file]',
      'snapshot, split, head, relation and tail on a line: each triple is told once, in order',
    )
    .option(
      '--passes <n>',
      `times that every triple is told; 1: as a stream (default: ${PASSES})`,
      positiveInteger,
    )
    .addOption(new Option('--rank <part>', 'part that is ranked').choices(['valid', 'test']).default('test'))
    .option('--seeds <n>', 'train with this many seeds, and give mean and spread', positiveInteger, 1)
    .option(
      '--shards <n>',
      'updaters that the graph is cut into, all in this process; their vectors are ranked together',
      positiveInteger,
      1,
    )
    .option('--set <key=value>', 'a setting of model or training; may be repeated', collect, [])
    .option('--export <folder>', 'write the vectors as .npy with their names, so that anyone can rank again')
    .option('--json', JSON_HELP)
    .addHelpText('after', WHAT)
    .addHelpText('after', example(EXAMPLES))
    .action((options: KgOptions) => evaluateKg(options, context));
}

const WHAT = `
Trains in a temporary store through the updater of twhin run, then ranks both ends of each triple among all entities
(MRR, hits@1, 3 and 10); other known answers are left out, and a tie counts half. twhin.config.ts has no part in it.
With several passes nothing is rehearsed, the learning rate falls linearly from 0.1, and beta is 12. --set overrides all three.`;

const EXAMPLES = `twhin evaluate kg --train train.txt --valid valid.txt --test test.txt
twhin evaluate kg --train train.txt --valid valid.txt --test test.txt --passes 1 --set updatesPerEdge=4
twhin evaluate kg --stream ENTITY.ids.tsv.gz --set dim=200 --seeds 3 --json`;

async function evaluateKg(options: KgOptions, context: CommandContext): Promise<void> {
  const passes = checkOptions(options);
  if (options.export !== undefined) await refuseFilled(options.export);
  const { output, stopping } = context;
  const triples = await readTriples(options, stopping).catch((error: unknown) => {
    // Files that were not read to their end have other faults than the reader's.
    stopping.throwIfAborted();
    throw error;
  });
  stopping.throwIfAborted();
  if (triples[options.rank].lhs.length === 0)
    throw new UsageError(`--rank ${options.rank}: there is no such triple; nothing was trained`);
  await using folder = temporaryFolder();
  const report = await new KgEvaluation(options, { passes, triples, folder: folder.path, context }).run();
  output.statusDone();
  if (options.json === true) output.out(JSON.stringify(report));
  else printKgReport(report, output);
}

/** The number of passes. @throws UsageError with a line for each contradiction. */
function checkOptions({ train, valid, test, stream, passes, seeds, export: to }: KgOptions): number {
  const problems: string[] = [];
  if (stream === undefined) {
    if (train === undefined) problems.push('--train: expected a file of triples, or --stream; seen nothing');
    if (test === undefined) problems.push('--test: expected a file of triples, or --stream; seen nothing');
  } else {
    if (passes !== undefined && passes > 1)
      problems.push(`--passes: a stream tells each triple once; seen ${passes}`);
    if (stream === true && train === undefined) problems.push('--stream: name its file: --stream FILE');
    const others = (stream === true ? [valid, test] : [train, valid, test]).filter(
      (file) => file !== undefined,
    );
    if (others.some((file) => file !== train || stream !== true))
      problems.push('--train, --valid, --test: the file of --stream holds all three parts; leave them out');
  }
  if (to !== undefined && seeds > 1)
    problems.push(`--export: writes the vectors of one seed; seen --seeds ${seeds}`);
  if (problems.length > 0) {
    const lines = problems.map((problem) => `  ${problem}`).join('\n');
    throw new UsageError(`the evaluation cannot be done as asked; nothing was started:\n${lines}`);
  }
  return stream === undefined ? (passes ?? PASSES) : 1;
}

function readTriples(
  { train, valid, test, stream }: KgOptions,
  stopping: AbortSignal,
): Promise<KnowledgeGraph> {
  const file = (name: string): TripleFile => ({
    name,
    lines: splitLines(openBytes(name, process.stdin, stopping).chunks, MAX_LINE_BYTES),
  });
  if (stream !== undefined) return readSnapshots(file(stream === true ? (train ?? '') : stream));
  return readGraph({
    ...(train !== undefined && { train: file(train) }),
    ...(valid !== undefined && { valid: file(valid) }),
    ...(test !== undefined && { test: file(test) }),
  });
}

interface Outside {
  readonly passes: number;
  readonly triples: KnowledgeGraph;
  readonly folder: string;
  readonly context: CommandContext;
}

/** One evaluation: trained and ranked once for each seed. */
class KgEvaluation {
  readonly #options: KgOptions;
  readonly #outside: Outside;

  constructor(options: KgOptions, outside: Outside) {
    this.#options = options;
    this.#outside = outside;
  }

  async run(): Promise<KgReport> {
    const { triples, passes } = this.#outside;
    const results: SeedResult[] = [];
    for (let seed = 1; seed <= this.#options.seeds; seed++) results.push(await this.#measure(seed));
    const { graphs } = this.#graphOf(1);
    return reportOf(triples, graphs[0]!, { passes, rank: this.#options.rank, results });
  }

  #graphOf(seed: number): TrainedGraph {
    const { passes, triples, folder } = this.#outside;
    const { shards, set: settings } = this.#options;
    return knowledgeGraph(triples, { passes, shards, seed, settings, folder: join(folder, `${seed}`) });
  }

  async #measure(seed: number): Promise<SeedResult> {
    const { triples, context } = this.#outside;
    const trained = this.#graphOf(seed);
    const progress = new EvaluationProgress(`seed ${seed}`, context);
    const began = performance.now();
    const replaying = await composeKnowledgeGraph(trained, context.log());
    await progress.trainTogether(replaying, [trained.log.range], { seed });
    const between = performance.now();
    const space = await readSpace(triples, trained);
    const asked = triples[this.#options.rank];
    const report = progress.meter('triples ranked');
    const figures = await predictLinks(triples, asked, space, (done) => report(done, asked.lhs.length));
    if (this.#options.export !== undefined)
      await exportVectors(this.#options.export, triples, trained, space);
    await rm(trained.config.state, { recursive: true });
    const rankSeconds = (performance.now() - between) / 1000;
    return { seed, figures, trainSeconds: (between - began) / 1000, rankSeconds };
  }
}
