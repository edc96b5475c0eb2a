import { COMPUTED, type Import, type SourceFile } from './source-file.ts';

/** Paths that a room may import, by how they begin. */
interface Direction {
  readonly all?: readonly string[];
  /** By `import type` only: nothing of it runs. */
  readonly types?: readonly string[];
  /** Packages and node: modules; any of those that ship when not said. */
  readonly packages?: readonly string[];
}

/** zod and node:crypto compute, node:v8 and node:zlib code; node:buffer is bytes. Whatever talks to files, networks or threads is an adapter's. */
const PURE = ['zod', 'node:buffer', 'node:crypto', 'node:v8', 'node:zlib'];
/** The names in a text, between spaces. */
const named = (text: string): string[] => text.trim().split(/\s+/);
/** The paths in a text, below src but for topics. */
const rooms = (text: string): string[] =>
  named(text).map((path) => (path.startsWith('topics/') ? path : `src/${path}`));
const ROOMS = rooms(`
  topics/ errors/ log.ts version.ts graph/ model/ sampling/ kernels/ pipeline/ shards/ replay/ evaluation/ serve/
  backup/ adapters/ metrics/ watch/ pages/ config/ state/ compose/ cli/`);

/** A room and what it may import besides itself. A folder that is not here has no place in the layout yet. */
const DIRECTIONS: Readonly<Record<string, Direction>> = {
  'src/errors/': { packages: [] },
  'src/log.ts': { packages: [] },
  'topics/': { all: rooms('graph/ errors/'), packages: PURE },
  'src/graph/': { all: ['src/errors/'], packages: PURE },
  'src/model/': { all: ['src/errors/'], packages: PURE },
  'src/sampling/': { all: rooms('graph/ model/ errors/'), packages: PURE },
  // node:fs: instance.ts reads the compiled kernels that lie beside the sources, once.
  'src/kernels/': { all: rooms('model/ kernels/tfjs/ errors/'), packages: [...PURE, 'node:fs'] },
  // It finds a package that may be there or not, and loads it.
  'src/kernels/tfjs/': {
    all: rooms('model/ kernels/ errors/'),
    packages: named('node:module node:path node:util'),
  },
  'src/kernels/assembly/': { packages: [] },
  'src/kernels/scan/assembly/': { all: ['src/kernels/assembly/vector'], packages: [] },
  'src/pipeline/': {
    all: rooms('topics/ graph/ model/ sampling/ pipeline/ errors/errors.ts'),
    types: ['src/log.ts'],
    packages: PURE,
  },
  // One way through the pipeline: writing knows what was read and trained, and neither of the two knows of writing.
  'src/pipeline/training/': {
    all: rooms(`
      graph/ model/ sampling/ pipeline/measures.ts pipeline/neighbours.ts pipeline/tuning.ts
      pipeline/window.ts errors/errors.ts`),
    packages: PURE,
  },
  'src/pipeline/reading/': {
    all: rooms(`
      topics/ graph/ pipeline/neighbours.ts pipeline/training/ pipeline/counters.ts pipeline/ports.ts
      pipeline/tuning.ts errors/errors.ts`),
    types: ['src/log.ts'],
    packages: PURE,
  },
  // All that a graph on several processes needs. The pipeline knows it by `neighbours.ts` and `training/foreign.ts` alone.
  'src/shards/': {
    all: rooms('topics/ graph/ model/ sampling/ pipeline/ errors/errors.ts'),
    types: ['src/log.ts'],
    packages: PURE,
  },
  // The ports they adapt, and those of the trainer and of the store; how a store's rows lie is said beside its port.
  'src/adapters/': {
    all: rooms(`
      errors/ graph/store.ts graph/turns.ts graph/entity.ts graph/murmur2.ts serve/answers.ts
      serve/entities.ts serve/surfaces.ts serve/served-graph.ts adapters/trainer/worker.ts`),
    types: rooms(`
      graph/checkpoint.ts graph/describe-entity.ts pipeline/ports.ts pipeline/progress.ts pipeline/reading/lag.ts
      pipeline/rejections.ts pipeline/training/trainer.ts log.ts`),
  },
  // Reads off what the pipeline says of itself; the process's own figures and the disk's it asks for.
  'src/metrics/': { all: ['src/pipeline/measures.ts'], types: rooms('pipeline/ shards/ graph/store.ts') },
  // Looks at running graphs, and serves what it sees.
  'src/watch/': {
    all: rooms(`
      topics/ graph/ model/ kernels/ pipeline/ shards/ adapters/ metrics/ pages/ state/ errors/
      version.ts`),
    types: rooms('config/ log.ts'),
  },
  'src/version.ts': { packages: [] },
  // The files that browsers get, read once.
  'src/pages/': { packages: named('node:fs/promises node:module node:path') },
  // A thread's composition root: it builds the trainer and its kernel.
  'src/adapters/trainer/worker.ts': {
    all: rooms('adapters/ kernels/ pipeline/training/local-trainer.ts shards/foreign-rows.ts errors/'),
    types: ['src/pipeline/training/trainer-core.ts', 'src/pipeline/training/trainer.ts'],
  },
  // A thread of the trainer's beside its own: a kernel on its table, and what passes between the two.
  'src/adapters/trainer/hogwild/': {
    all: rooms('adapters/ kernels/ errors/'),
    types: rooms('model/ pipeline/training/stepper.ts'),
  },
  // Threads that scan the vectors which lists are made of, and what passes between them and the main thread.
  'src/adapters/scan-threads/': {
    all: rooms('adapters/ kernels/ errors/'),
    types: rooms('model/ serve/looks.ts'),
  },
  // It fills in the settings of all rooms, and so knows their types; it builds none of them.
  'src/config/': { all: rooms('topics/ graph/ errors/'), types: rooms('model/ pipeline/ adapters/ log.ts') },
  // Merging, planning and comparing: no clock, no file; what reads and writes is handed in.
  'src/replay/': {
    all: rooms('topics/ graph/ model/ sampling/ pipeline/ errors/'),
    types: ['src/log.ts'],
    packages: PURE,
  },
  // Ranks what a store holds, as the literature does; no clock, no file. The kernel scores, as it does in training.
  'src/evaluation/': {
    all: rooms('topics/ graph/ model/ sampling/ kernels/ pipeline/ replay/ errors/'),
    types: ['src/log.ts'],
    packages: PURE,
  },
  // Lists made of published vectors. It reads no store and trains nothing; the log is handed in.
  'src/serve/': {
    all: rooms('topics/ graph/ model/ kernels/ errors/'),
    types: ['src/pipeline/ports.ts'],
    packages: PURE,
  },
  // A backup is files in a folder of their own: it writes and reads them itself.
  'src/backup/': {
    all: rooms(
      'adapters/atomic-file.ts adapters/checkpoint-file.ts adapters/leftovers.ts graph/ errors/errors.ts',
    ),
    packages: [
      ...PURE,
      ...named('node:fs node:fs/promises node:path node:stream node:stream/promises node:zlib'),
    ],
  },
  // Which folders hold a graph's stores, which of them is live, who writes it.
  'src/state/': {
    all: rooms(`
      adapters/atomic-file.ts adapters/rocksdb/store.ts adapters/file-lock.ts adapters/leftovers.ts
      graph/ errors/errors.ts`),
    types: ['src/config/'],
  },
  // Puts an updater together on a log, a store and a trainer. Only commands know how it is asked for.
  'src/compose/': { all: ROOMS.filter((room) => room !== 'src/cli/') },
  'src/cli/': { all: ROOMS },
  // What the package exports; nothing inside needs it.
  'src/index.ts': { all: rooms('topics/ serve-graphs.ts'), types: rooms('config/ serve/') },
  'src/serve-graphs.ts': { all: [...ROOMS.filter((room) => room !== 'src/cli/'), 'src/cli/select.ts'] },
  // A broker is there when the client that everything uses gets an answer from it.
  'broker/': { all: rooms('adapters/kafka/admin.ts errors/') },
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
