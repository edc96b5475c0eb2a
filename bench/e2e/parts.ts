import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const profile = z.object({
  nodes: z.array(
    z.object({ id: z.number(), callFrame: z.object({ functionName: z.string(), url: z.string() }) }),
  ),
  samples: z.array(z.number()),
  timeDeltas: z.array(z.number()),
});

/** What a sample belongs to, by the file or function it was taken in; the first that fits. */
const PARTS: readonly (readonly [part: string, fits: RegExp])[] = [
  ['idle', /^\(idle\)/],
  ['garbage collection', /^\(garbage collector\)/],
  ['training step', / wasm:|src\/kernels\//],
  ['negatives, masks, rehearsal', /src\/sampling\//],
  ['rows aside for a commit', /trainer-rows/],
  ['rank before training', /training\/evaluate/],
  ['trainer, else', /src\/pipeline\/training\/|adapters\/trainer/],
  ['parse and validate', /\/topics\/|node_modules\/zod|record-content/],
  ['ids to rows', /entity-index|name-index/],
  ['edges: look up and judge', /pipeline\/reading\/|src\/graph\/edge/],
  ['publish', /writing\/(publish|delivery|owed|published)|adapters\/kafka\/producer/],
  ['commit', /pipeline\/writing\/|src\/graph\/|adapters\/rocksdb|node_modules\/rocksdb/],
  [
    'Kafka client: fetch, decode, send',
    /node_modules\/(kafkajs|snappy|lz4)|adapters\/kafka|adapters\/positions/,
  ],
  [
    'buffers, sockets and other of Node',
    /^[^ ]* node:|^(writeBuffer|writev?U?t?f?8?|utf8\w+|base64\w+|latin1\w+|copy|fill|compare) $/,
  ],
];

/** Seconds by part, of the main thread or of the trainer's. */
export type Parts = ReadonlyMap<string, number>;

/** Reads the profiles that `node --cpu-prof` left: the main thread's is the one in which something was published. */
export async function partsOf(folder: string): Promise<{ main: Parts; trainer: Parts }> {
  const names = await readdir(folder);
  const all = await Promise.all(names.map(async (name) => sumUp(await readFile(join(folder, name), 'utf8'))));
  const byStep = all.toSorted((a, b) => (b.get('training step') ?? 0) - (a.get('training step') ?? 0));
  const [trainer, ...others] = byStep;
  const main = others.toSorted((a, b) => (b.get('publish') ?? 0) - (a.get('publish') ?? 0))[0];
  return { main: main ?? new Map(), trainer: trainer ?? new Map() };
}

function sumUp(text: string): Map<string, number> {
  const { nodes, samples, timeDeltas } = profile.parse(JSON.parse(text));
  const partOf = new Map(
    nodes.map(({ id, callFrame: { functionName, url } }) => {
      const where = `${functionName} ${url}`;
      return [id, PARTS.find(([, fits]) => fits.test(where))?.[0] ?? 'other'] as const;
    }),
  );
  const parts = new Map<string, number>();
  samples.forEach((sample, i) => {
    const part = partOf.get(sample) ?? 'other';
    parts.set(part, (parts.get(part) ?? 0) + (timeDeltas[i] ?? 0) / 1e6);
  });
  return parts;
}
