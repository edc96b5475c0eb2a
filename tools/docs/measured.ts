import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { allBenches } from '../../bench/benches.ts';
import { git, printed, type Result } from '../../bench/result.ts';

const BENCHES = await allBenches();

const OPENING = `# Measured

This page is generated from \`bench/results/\` by \`npm run docs\`. Each result names its commit and its machine, and its command is that of its
commit. Compare only figures that were measured side by side: other work shared most of these machines. A cell with a range has
the median with the least and the most.

\`npm run bench\` lists the benches with their options, and \`npm run bench -- NAME\` runs one. \`--against COMMIT\` lets another commit take turns with this
one, and \`--keep\` appends the result. A result that is *older than a change* of what its bench measures may not hold today.
`;

const ONCE = `## Measured once

These measurements decided something, and their programs are gone. \`git show COMMIT:bench/PROGRAM.ts\` has the
program, and \`bench/results\` of that commit its result.

| program | commit | what it measured |
| --- | --- | --- |
| churn | deb431ec9d | approximate search while vectors move, beside the exact scan |
| client-memory | bfd2d08372 | memory of the Kafka client |
| entities | 091381e4c6 | entities found by name |
| frontier | aa56acff2d | [quality against events a second](quality.md#what-it-costs); today \`e2e\`, \`kg\` and \`streams\` with \`--set\` |
| known-edges | 10c9847b9d | draws and masks among live edges |
| many-rows | 09bbc66d48 | a scan of 21 million rows |
| outbox | 091381e4c6 | the outbox of a commit |
| pq | 04adf24950 | product quantisation |
| publish | 355c688c32 | publishing of vectors |
| smoke | e1a270bce5 | knowledge graphs with earlier kernels |
| rare-relation | bb9cf5f6fb | recall of a rare relation |
| reader, records | 355c688c32 | reading and encoding of record batches |
| rebuild | 7c03007c56 | reading of all vectors at a start |
| search | 19c671c453 | ways of ranking what a search finds |
| served-memory | aa56acff2d | [bytes of a served vector, name and edge](serve.md#memory) |
| shards-exact | a1df11d620 | equality of a graph on one updater and on several, after kills |
| threads | aa56acff2d | [updates a second of two training threads](performance.md#the-training-step); today \`kg\` with \`--set training.threads=2\` |
| \`twhin evaluate\`, first run on Higgs | 8fea0c3116 | the embedded log |
| \`twhin tune\` on Foursquare | 4a4eaca567 | [a search of settings](quality.md#tuning-on-your-own-events) |
`;

/** Whether what a bench measures was changed after a commit; undefined where git doesn't know. */
export type Changed = (commit: string, paths: readonly string[]) => boolean | undefined;

const ROOT = join(import.meta.dirname, '..', '..');

const changedSince: Changed = (commit, paths) => {
  try {
    return git(ROOT, 'log', '--format=%h', '-1', `${commit}..HEAD`, '--', ...paths) !== '';
  } catch {
    return undefined;
  }
};

/** The text of `docs/measured.md`. current: the page as it is, whose marks stay where git doesn't know. */
export function measuredPage(current = readPage(), changed: Changed = changedSince): string {
  const sections = BENCHES.map(({ name, what, docs, measures }) => {
    const results = latest(resultsOf(name)).map((result) => {
      const text = `### ${result.title ?? result.command}\n\n${printed(result)}\n`;
      const mark = '\n*Older than a change of what it measures.*\n';
      const old = changed(result.commit, measures) ?? current.includes(text + mark);
      return old ? text + mark : text;
    });
    const none = 'No result is kept.\n';
    return `## ${name}\n\nIt measures ${what}. Quoted in [${docs.split('.md')[0]}](${docs}).\n\n${results.join('\n') || none}`;
  });
  return [OPENING, ...sections, ONCE].join('\n');
}

function readPage(): string {
  const path = join(ROOT, 'docs', 'measured.md');
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

function resultsOf(name: string): Result[] {
  const path = join(ROOT, 'bench', 'results', `${name}.jsonl`);
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** Of the results of one title, or of one command on one machine, the newest. */
function latest(results: readonly Result[]): Result[] {
  const newest = new Map(
    results.map((result) => [result.title ?? `${result.command} ${result.machine}`, result]),
  );
  return [...newest.values()];
}
