/**
 * What the live edges cost in memory and in processor time, to be kept out of the negatives and to be rehearsed, as a Markdown table:
 * `npx node --expose-gc bench/known-edges.ts`. --edges, --rows: how many; ends by a power law, so that some are hubs. --bytes: of memory for
 * them, the rest in a file; may be repeated. A column for all in memory comes first.
 */
import { cpus, tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { ScratchFile } from '../src/adapters/trainer/scratch-file.ts';
import { KnownPositives, type MaskTask } from '../src/sampling/known-positives.ts';
import { Random } from '../src/sampling/random.ts';

const { values } = parseArgs({
  options: {
    edges: { type: 'string', default: '10000000' },
    rows: { type: 'string', default: '2000000' },
    bytes: { type: 'string', multiple: true, default: [] },
  },
});
const [edges, rows] = [Number(values.edges), Number(values.rows)];
const DRAWS = 1_000_000;
const CHANGES = 100_000;
/** Of the default recipe: 64 updates share 256 candidates. */
const [CHUNKS, CHUNK_EDGES, CANDIDATES] = [2_000, 64, 256];

interface Column {
  readonly loadedS: number;
  readonly bytesAnEdge: number;
  readonly drawNs: number;
  readonly changeNs: number;
  readonly maskNs: number;
}

const bounds = [undefined, ...values.bytes.map(Number)];
const columns: Column[] = [];
for (const bytes of bounds) columns.push(await measured(bytes));
const names = bounds.map((bytes) =>
  bytes ? `${Math.round(bytes / 2 ** 20)} MiB in memory` : 'all in memory',
);
const line = (cells: readonly string[]) => console.log(`| ${cells.join(' | ')} |`);
const row = (name: string, of: (column: Column) => string) => line([name, ...columns.map(of)]);
console.log('# Live edges, in memory and in a file\n');
const set = values.bytes.map((bytes) => ` --bytes ${bytes}`).join('');
console.log(`    npx node --expose-gc bench/known-edges.ts --edges ${edges} --rows ${rows}${set}\n`);
console.log(
  `${cpus()[0]?.model}, Node ${process.version}. Processor time; the file is in the system's memory.\n`,
);
line(['', ...names]);
line(['---', ...names.map(() => '---')]);
row('loaded and sorted', ({ loadedS }) => `${loadedS.toFixed(1)} s`);
row(
  `memory an edge, with ${(edges / rows).toFixed(1)} edges a row`,
  (of) => `${of.bytesAnEdge.toFixed(1)} bytes`,
);
row('a draw', ({ drawNs }) => `${drawNs.toFixed(0)} ns`);
row('an edge taken out and put in again', ({ changeNs }) => `${changeNs.toFixed(0)} ns`);
row('masks of both sides, an update', ({ maskNs }) => `${maskNs.toFixed(0)} ns`);

async function measured(bytes: number | undefined): Promise<Column> {
  const random = Random.seeded(1);
  /** One end in forty is at one row in ten thousand. */
  const end = () => Math.floor(rows * random.uniform() ** 2.5);
  const before = await heldBytes();
  const memory = bytes ? { bytes, file: () => new ScratchFile(tmpdir()) } : undefined;
  const known = new KnownPositives({ maxRows: rows, maxEdges: edges, memory });
  const load = timed(() => {
    for (let i = 0; i < edges; i++) known.load(end(), i % 3, end());
    known.settle();
  });
  const held = (await heldBytes()) - before;
  const draw = timed(() => {
    for (let i = 0; i < DRAWS; i++) known.draw(random);
  });
  const gone = Array.from({ length: CHANGES }, () => known.draw(random));
  const change = timed(() => {
    for (const { lhs, relation, rhs } of gone) known.remove(lhs, relation, rhs);
    for (const { lhs, relation, rhs } of gone) known.add(lhs, relation, rhs);
  });
  const chunks = Array.from({ length: CHUNKS }, () => chunkOf(known, random));
  const mask = timed(() => {
    for (const tasks of chunks) for (const task of tasks) known.mask(task);
  });
  return {
    loadedS: load / 1e9,
    bytesAnEdge: held / edges,
    drawNs: draw / DRAWS,
    changeNs: change / CHANGES,
    maskNs: mask / (CHUNKS * CHUNK_EDGES),
  };
}

/** Of arrays, once what is not needed any more is gone. */
async function heldBytes(): Promise<number> {
  globalThis.gc?.();
  await new Promise((resolve) => setTimeout(resolve, 200));
  return process.memoryUsage().arrayBuffers;
}

/** The masks of a chunk of drawn edges, on both sides. */
function chunkOf(known: KnownPositives, random: Random): MaskTask[] {
  const drawn = Array.from({ length: CHUNK_EDGES }, () => known.draw(random));
  const [lhs, rhs] = [Int32Array.from(drawn, (edge) => edge.lhs), Int32Array.from(drawn, (edge) => edge.rhs)];
  const common = {
    relation: Int32Array.from(drawn, ({ relation }) => relation),
    ...{ edges: CHUNK_EDGES, count: CANDIDATES, stride: CANDIDATES, hub: () => 1_000 },
    mask: new Uint8Array(CHUNK_EDGES * CANDIDATES),
  };
  const candidates = () => Int32Array.from({ length: CANDIDATES }, () => Math.floor(rows * random.uniform()));
  return [
    { ...common, side: 'rhs', anchors: lhs, positives: rhs, candidates: candidates() },
    { ...common, side: 'lhs', anchors: rhs, positives: lhs, candidates: candidates() },
  ];
}

/** Nanoseconds of processor time: what else the machine does is not counted. */
function timed(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) * 1000;
}
