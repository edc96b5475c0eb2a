/**
 * How good the vectors are, by `twhin evaluate`, as a Markdown table with the command of each row.
 * `npm run bench:quality -- --data FOLDER [--only TEXT …] [--rank valid] [--seeds N] [--set KEY=VALUE …]`
 *
 * --data: a folder with FB15k-237/ and WN18RR/ (train.txt, valid.txt, test.txt) and with ENTITY, FACT, HYBRID and
 * RELATION.ids.tsv.gz of LKGE. --only: rows whose name contains the text. --seeds: of rows that say nothing of their own.
 */
import { existsSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measured } from './child.ts';
import { commandLine } from './command-line.ts';

const COMMAND = join(import.meta.dirname, '..', 'bin', 'twhin.js');

/** A row of the table: what is evaluated, and what others reach. */
interface Row {
  readonly name: string;
  /** Files of the row, by option. */
  readonly files: Readonly<Record<string, string>>;
  readonly args: readonly string[];
  /** MRR and hits@10 of the literature, with its source. */
  readonly literature: string;
}

const STREAMS = {
  ENTITY: '.253/.448',
  FACT: '.216/.391',
  HYBRID: '.224/.401',
  RELATION: '.199/.370',
} as const;

/** The parts of a graph in a folder of its own. */
function parts(folder: string): Record<string, string> {
  return {
    '--train': join(folder, 'train.txt'),
    '--valid': join(folder, 'valid.txt'),
    '--test': join(folder, 'test.txt'),
  };
}

const ROWS: readonly Row[] = [
  {
    name: 'FB15k-237, 20 passes',
    files: parts('FB15k-237'),
    args: ['--passes', '20'],
    literature: '.313/.497 (LibKGE)',
  },
  {
    name: 'WN18RR, 60 passes',
    files: parts('WN18RR'),
    // The entity asked about is never an answer here, and would rank first.
    args: ['--passes', '60', '--set', 'anchorNegatives=true', '--set', 'beta=9'],
    literature: '.228/.520 (LibKGE)',
  },
  ...[1, 2, 4, 8, 16].map((updates) => ({
    name: `FB15k-237 as a stream, E=${updates}`,
    files: parts('FB15k-237'),
    args: ['--passes', '1', '--set', `updatesPerEdge=${updates}`],
    literature: '',
  })),
  ...[4, 16].map((updates) => ({
    name: `FB15k-237 as a stream, chunks of 256, E=${updates}`,
    files: parts('FB15k-237'),
    // Chosen on the valid part, for knowledge graphs: three times the negatives of an update.
    args: [
      ...['--passes', '1', '--set', `updatesPerEdge=${updates}`, '--set', 'chunkEdges=256'],
      ...['--set', 'uniformNegatives=512', '--set', 'beta=12'],
    ],
    literature: '',
  })),
  ...[
    { batch: 4096, more: [] },
    { batch: 16_384, more: ['--set', 'negativeWeight=5'] },
  ].map(({ batch, more }) => ({
    name: `FB15k-237 as a stream, two own updates of four, batches of ${batch}`,
    files: parts('FB15k-237'),
    args: [
      ...[
        '--passes',
        '1',
        '--set',
        'updatesPerEdge=4',
        '--set',
        'ownUpdates=2',
        '--set',
        `batchEdges=${batch}`,
      ],
      ...['--set', 'chunkEdges=256', '--set', 'uniformNegatives=512', '--set', 'beta=12', ...more],
    ],
    literature: '',
  })),
  ...[4, 10].flatMap((updates) =>
    Object.entries(STREAMS).map(([stream, figures]) => ({
      name: `LKGE ${stream}, E=${updates}`,
      files: { '--stream': `${stream}.ids.tsv.gz` },
      args: ['--set', 'dim=200', '--set', `updatesPerEdge=${updates}`],
      literature: `${figures} (IncDE)`,
    })),
  ),
];

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    only: { type: 'string', multiple: true, default: [] },
    rank: { type: 'string', default: 'test' },
    seeds: { type: 'string', default: '1' },
    set: { type: 'string', multiple: true, default: [] },
  },
});
const { data, only } = values;
if (data === undefined) throw new Error('--data: expected a folder; see the head of bench/quality.ts');
const rows = ROWS.filter(({ name }) => only.length === 0 || only.some((text) => name.includes(text)));
if (rows.length === 0) throw new Error(`--only: expected part of ${ROWS.map(({ name }) => name).join('; ')}`);

console.log('# Quality on knowledge graphs\n');
console.log(`    ${commandLine('bench:quality')}\n`);
console.log(
  `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, Node ${process.version}. Filtered, both ends, all ` +
    `entities, the whole ${values.rank} part. MRR ± is the largest distance between seeds.\n`,
);
console.log(
  '| | command, before the files | literature | MRR | ± | hits@1 | hits@10 | updates/s | µs of processor an update |',
);
console.log('|---|---|---|---:|---:|---:|---:|---:|---:|');
for (const row of rows) await measure(row);

async function measure({ name, files, args, literature }: Row): Promise<void> {
  const paths = Object.entries(files).map(([option, file]) => [option, join(data ?? '', file)] as const);
  const missing = paths.find(([, path]) => !existsSync(path));
  if (missing !== undefined) {
    console.log(`| ${name} | | ${literature} | not run: no ${missing[1]} | | | | | |`);
    return;
  }
  const asked = ['evaluate', 'kg', ...args, '--seeds', values.seeds, ...rank(), ...settings()];
  process.stderr.write(`${name}\n`);
  const { stdout, cpu } = await measured([COMMAND, ...asked, ...paths.flat(), '--json'], process.env);
  const report = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
  const { mrr, hits1, hits10, spread, updatesPerS, triples, passes, updatesPerEdge, results } = report;
  const updates = triples.train * passes * updatesPerEdge * results.length;
  const figures = [mrr, spread.mrr, hits1, hits10].map((value: number) => value.toFixed(4));
  const cost = [updatesPerS, ((cpu * 1e6) / updates).toFixed(1)];
  console.log(
    `| ${name} | \`twhin ${asked.join(' ')}\` | ${literature} | ${[...figures, ...cost].join(' | ')} |`,
  );
}

function rank(): string[] {
  return values.rank === 'test' ? [] : ['--rank', values.rank];
}

function settings(): string[] {
  return values.set.flatMap((setting) => ['--set', setting]);
}
