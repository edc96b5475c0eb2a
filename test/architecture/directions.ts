import { COMPUTED, type Import, type SourceFile } from './source-file.ts';

/** Paths that a room may import, by how they begin. */
interface Direction {
  readonly all?: readonly string[];
  /** By `import type` only: nothing of it runs. */
  readonly types?: readonly string[];
  /** Packages and node: modules; any of those that ship when not said. */
  readonly packages?: readonly string[];
}

/** zod and node:crypto compute; node:buffer is bytes. Whatever talks to files, networks or threads is an adapter's. */
const PURE = ['zod', 'node:buffer', 'node:crypto'];
const ROOMS = [
  'topics/',
  'src/errors/',
  'src/log.ts',
  'src/version.ts',
  ...[
    'graph',
    'model',
    'sampling',
    'kernels',
    'pipeline',
    'shards',
    'replay',
    'evaluation',
    'serve',
    'backup',
    'adapters',
    'metrics',
    'watch',
    'pages',
    'config',
    'state',
    'compose',
    'cli',
  ].map((room) => `src/${room}/`),
];

/** A room and what it may import besides itself. A folder that is not here has no place in the layout yet. */
const DIRECTIONS: Readonly<Record<string, Direction>> = {
  'src/errors/': { packages: [] },
  'src/log.ts': { packages: [] },
  'topics/': { all: ['src/graph/', 'src/errors/'], packages: PURE },
  'src/graph/': { all: ['src/errors/'], packages: PURE },
  'src/model/': { all: ['src/errors/'], packages: PURE },
  'src/sampling/': { all: ['src/graph/', 'src/model/', 'src/errors/'], packages: PURE },
  // node:fs: instance.ts reads the compiled kernels that lie beside the sources, once.
  'src/kernels/': {
    all: ['src/model/', 'src/kernels/tfjs/', 'src/errors/'],
    packages: [...PURE, 'node:fs'],
  },
  // It finds a package that may be there or not, and loads it.
  'src/kernels/tfjs/': {
    all: ['src/model/', 'src/kernels/', 'src/errors/'],
    packages: ['node:module', 'node:path', 'node:util'],
  },
  'src/kernels/assembly/': { packages: [] },
  'src/kernels/scan/assembly/': { all: ['src/kernels/assembly/vector'], packages: [] },
  'src/pipeline/': {
    all: ['topics/', 'src/graph/', 'src/model/', 'src/sampling/', 'src/pipeline/', 'src/errors/errors.ts'],
    types: ['src/log.ts'],
    packages: PURE,
  },
  // One way through the pipeline: writing knows what was read and trained, and neither of the two knows of writing.
  'src/pipeline/training/': {
    all: [
      'src/graph/',
      'src/model/',
      'src/sampling/',
      'src/pipeline/measures.ts',
      'src/pipeline/neighbours.ts',
      'src/pipeline/tuning.ts',
      'src/pipeline/window.ts',
      'src/errors/errors.ts',
    ],
    packages: PURE,
  },
  'src/pipeline/reading/': {
    all: [
      'topics/',
      'src/graph/',
      'src/pipeline/neighbours.ts',
      'src/pipeline/training/',
      'src/pipeline/counters.ts',
      'src/pipeline/ports.ts',
      'src/pipeline/tuning.ts',
      'src/errors/errors.ts',
    ],
    types: ['src/log.ts'],
    packages: PURE,
  },
  // All that a graph on several processes needs. The pipeline knows it by `neighbours.ts` and `training/foreign.ts` alone.
  'src/shards/': {
    all: ['topics/', 'src/graph/', 'src/model/', 'src/sampling/', 'src/pipeline/', 'src/errors/errors.ts'],
    types: ['src/log.ts'],
    packages: PURE,
  },
  // The ports they adapt, and those of the trainer and of the store; how a store's rows lie is said beside its port.
  'src/adapters/': {
    all: [
      'src/errors/',
      'src/graph/store.ts',
      'src/graph/row-writes.ts',
      'src/graph/entity.ts',
      'src/graph/murmur2.ts',
      'src/serve/entities.ts',
      'src/serve/surfaces.ts',
      'src/serve/interests.ts',
      'src/serve/served-graph.ts',
      'src/adapters/trainer/worker.ts',
    ],
    types: [
      'src/graph/describe-entity.ts',
      'src/pipeline/ports.ts',
      'src/pipeline/progress.ts',
      'src/pipeline/reading/lag.ts',
      'src/pipeline/rejections.ts',
      'src/pipeline/training/trainer.ts',
      'src/pipeline/loading/image.ts',
      'src/log.ts',
    ],
  },
  // Reads off what the pipeline says of itself; the process's own figures and the disk's it asks for.
  'src/metrics/': {
    all: ['src/pipeline/measures.ts'],
    types: ['src/pipeline/', 'src/shards/', 'src/graph/store.ts'],
  },
  // Looks at running graphs, and serves what it sees.
  'src/watch/': {
    all: [
      'topics/',
      'src/graph/',
      'src/model/',
      'src/kernels/',
      'src/pipeline/',
      'src/shards/',
      'src/adapters/',
      'src/metrics/',
      'src/pages/',
      'src/state/',
      'src/errors/',
      'src/version.ts',
    ],
    types: ['src/config/', 'src/log.ts'],
  },
  'src/version.ts': { packages: [] },
  // The files that browsers get, read once.
  'src/pages/': { packages: ['node:fs/promises', 'node:module', 'node:path'] },
  // A thread's composition root: it builds the trainer and its kernel.
  'src/adapters/trainer/worker.ts': {
    all: [
      'src/adapters/',
      'src/kernels/',
      'src/pipeline/training/train.ts',
      'src/shards/foreign-rows.ts',
      'src/errors/',
    ],
    types: ['src/pipeline/training/trainer.ts'],
  },
  // A thread of the trainer's beside its own: a kernel on its table, and what passes between the two.
  'src/adapters/trainer/hogwild/': {
    all: ['src/adapters/', 'src/kernels/', 'src/errors/'],
    types: ['src/model/', 'src/pipeline/training/stepper.ts'],
  },
  // Threads that scan the vectors which lists are made of, and what passes between them and the main thread.
  'src/adapters/scan-threads/': {
    all: ['src/adapters/', 'src/kernels/', 'src/errors/'],
    types: ['src/model/', 'src/serve/looks.ts'],
  },
  // It fills in the settings of all rooms, and so knows their types; it builds none of them.
  'src/config/': {
    all: ['topics/', 'src/graph/', 'src/errors/'],
    types: ['src/model/', 'src/pipeline/', 'src/adapters/', 'src/log.ts'],
  },
  // Merging, planning and comparing: no clock, no file; what reads and writes is handed in.
  'src/replay/': {
    all: ['topics/', 'src/graph/', 'src/model/', 'src/sampling/', 'src/pipeline/', 'src/errors/'],
    types: ['src/log.ts'],
    packages: PURE,
  },
  // Ranks what a store holds, as the literature does; no clock, no file. The kernel scores, as it does in training.
  'src/evaluation/': {
    all: [
      'topics/',
      'src/graph/',
      'src/model/',
      'src/sampling/',
      'src/kernels/',
      'src/pipeline/',
      'src/replay/',
      'src/errors/',
    ],
    types: ['src/log.ts'],
    packages: PURE,
  },
  // Lists made of published vectors. It reads no store and trains nothing; the log is handed in.
  'src/serve/': {
    all: ['topics/', 'src/graph/', 'src/model/', 'src/kernels/', 'src/errors/'],
    types: ['src/pipeline/ports.ts'],
    packages: PURE,
  },
  // A backup is files in a folder of their own: it writes and reads them itself.
  'src/backup/': {
    all: ['src/adapters/atomic-file.ts', 'src/adapters/leftovers.ts', 'src/graph/', 'src/errors/errors.ts'],
    packages: [
      ...PURE,
      'node:fs',
      'node:fs/promises',
      'node:path',
      'node:stream',
      'node:stream/promises',
      'node:zlib',
    ],
  },
  // Which folders hold a graph's stores, which of them is live, who writes it.
  'src/state/': {
    all: [
      'src/adapters/atomic-file.ts',
      'src/adapters/rocksdb/store.ts',
      'src/adapters/file-lock.ts',
      'src/adapters/leftovers.ts',
      'src/graph/',
      'src/errors/errors.ts',
    ],
    types: ['src/config/'],
  },
  // Puts an updater together on a log, a store and a trainer. Only commands know how it is asked for.
  'src/compose/': {
    all: ROOMS.filter((room) => room !== 'src/cli/'),
  },
  'src/cli/': { all: ROOMS },
  // What the package exports; nothing inside needs it.
  'src/index.ts': {
    all: ['topics/', 'src/serve-graphs.ts'],
    types: ['src/config/', 'src/serve/'],
  },
  'src/serve-graphs.ts': { all: [...ROOMS.filter((room) => room !== 'src/cli/'), 'src/cli/select.ts'] },
  // A broker is there when the client that everything uses gets an answer from it.
  'broker/': { all: ['src/adapters/kafka/admin.ts', 'src/errors/'] },
  'demo/': { all: [...ROOMS, 'broker/'] },
};

/** A person's own configuration has any name: the one import that can't be known before. */
const COMPUTED_IN = 'src/config/load.ts';

/** What the file imports against its room's direction, a line each. */
export function wrongImports(file: SourceFile, shipped: readonly string[]): string[] {
  const room = roomOf(file.path);
  const direction = room === undefined ? undefined : DIRECTIONS[room];
  if (room === undefined || direction === undefined) return [`${file.path} is in no room of the layout`];
  return file.imports
    .filter((wanted) => !mayImport(file.path, room, direction, wanted, shipped))
    .map(({ to, typeOnly }) => `${file.path} imports ${typeOnly ? 'the type of ' : ''}${to}`);
}

function mayImport(
  path: string,
  room: string,
  direction: Direction,
  { to, typeOnly }: Import,
  shipped: readonly string[],
): boolean {
  if (to === COMPUTED) return path === COMPUTED_IN;
  if (!/^(src|topics|demo|broker|test|bench|tools|bin)\//.test(to)) {
    return (direction.packages?.includes(to) ?? true) && (to.startsWith('node:') || shipped.includes(to));
  }
  const { all = [], types = [] } = direction;
  const target = roomOf(to);
  return target === room || [...all, ...(typeOnly ? types : [])].some((start) => reaches(to, start));
}

/** The assembly is compiled apart: being under a folder that may be imported does not make it so. */
function reaches(to: string, start: string): boolean {
  return to.startsWith(start) && !(to.includes('/assembly/') && !start.includes('/assembly/'));
}

/** The longest name in the table that the path begins with. */
function roomOf(path: string): string | undefined {
  return Object.keys(DIRECTIONS)
    .filter((room) => path.startsWith(room))
    .sort((a, b) => b.length - a.length)[0];
}

/** A circle of imports, types included, as `a → b → a`; undefined when there is none. */
export function circle(files: readonly SourceFile[]): string | undefined {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): string | undefined => {
    const start = way.indexOf(path);
    if (start >= 0) return [...way.slice(start), path].join(' → ');
    const file = byPath.get(path);
    if (file === undefined || done.has(path)) return undefined;
    for (const { to } of file.imports) {
      const found = visit(to, [...way, path]);
      if (found !== undefined) return found;
    }
    done.add(path);
    return undefined;
  };
  return files.map(({ path }) => visit(path, [])).find((found) => found !== undefined);
}
