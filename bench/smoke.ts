/**
 * Whether the updater still learns: streams a knowledge graph once and ranks its test triples, as a Markdown table.
 * `npm run bench:smoke -- --data FOLDER_OR_TAR_GZ`; the folder holds train.txt, valid.txt and test.txt.
 * --kernel: may be repeated; --set model.dim=64: over the configuration; --test: at most so many test triples;
 * --at-least: MRR under which it ends with 1.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { commandLine } from './command-line.ts';
import { rankTest } from './quality/rank.ts';
import { stream } from './quality/stream.ts';
import { readGraph } from './quality/triples.ts';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    kernel: { type: 'string', multiple: true, default: ['wasm'] },
    set: { type: 'string', multiple: true, default: [] },
    test: { type: 'string' },
    seed: { type: 'string', default: '1' },
    'at-least': { type: 'string' },
  },
});
if (values.data === undefined)
  throw new Error('--data: expected a folder of train.txt, valid.txt and test.txt');

const say = (line: string) => process.stderr.write(`${line}\n`);
const work = await mkdtemp(join(tmpdir(), 'twhin-smoke-'));
try {
  const whole = await readGraph(values.data, work);
  const graph = { ...whole, test: whole.test.slice(0, Number(values.test ?? whole.test.length)) };
  console.log(`# One pass over ${basename(values.data)}\n`);
  console.log(`    ${commandLine('bench:smoke')}\n`);
  console.log(
    `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, Node ${process.version}. ` +
      `${graph.train.length} triples streamed once, ${graph.test.length} ranked, both ends, filtered.\n`,
  );
  console.log('| kernel | MRR | hits@10 | run, s | events/s |\n|---|---|---|---|---|');
  for (const kernel of values.kernel) {
    say(`${kernel}:`);
    const folder = await mkdtemp(join(work, 'run-'));
    const options = {
      work: folder,
      settings: [...values.set, `training.kernel=${kernel}`],
      seed: Number(values.seed),
      say,
    };
    const { embeddings, seconds } = await stream(graph, options);
    say(`ranking ${graph.test.length} test triples`);
    const { mrr, hits10 } = rankTest(graph, embeddings, (done) => {
      if (done % 2_000 === 0) say(`  ${done}`);
    });
    const rate = Math.round(graph.train.length / seconds);
    console.log(`| ${kernel} | ${mrr.toFixed(4)} | ${hits10.toFixed(4)} | ${seconds.toFixed(1)} | ${rate} |`);
    if (mrr < Number(values['at-least'] ?? 0)) process.exitCode = 1;
  }
} finally {
  await rm(work, { recursive: true, force: true });
}
