import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { constants, zstdCompress } from 'node:zlib';
import { syncFolder } from '../adapters/atomic-file.ts';
import { FatalError } from '../errors/errors.ts';
import type { GraphStore } from '../graph/graph-store.ts';
import { fingerprint, type Head } from '../graph/head.ts';
import type { Layout } from '../graph/layout.ts';
import type { Entry } from '../graph/store.ts';
import { ChunkBuilder } from './chunk.ts';
import { readSized, sha256, writeFailure, writeFile } from './files.ts';
import { CHUNKS, type Chunk, FORMAT, type Manifest, writeManifest } from './manifest.ts';

const compress = promisify(zstdCompress);
/** Level 1: at higher levels vectors hardly shrink, and edges shrink no more. */
const COMPRESSION = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/** The result of a backup. */
export interface Backup {
  readonly manifest: Manifest;
  /** New chunks, and the bytes of their files. */
  readonly written: { readonly chunks: number; readonly bytes: number };
  /** Deleted files: chunks no longer in the manifest, and files of interrupted backups. */
  readonly removed: number;
}

/**
 * Backs up a store into the graph's own folder, beside chunks of earlier backups. The previous manifest is valid until the
 * new one is written. After an interruption, the next backup uses the chunks already written.
 * store: a view that does not change. at: ISO 8601. onProgress: entries read so far.
 * @throws FatalError when the store does not match its head, or the folder can't be written.
 */
export async function writeBackup(
  folder: string,
  store: GraphStore,
  about: { readonly store: string; readonly at: string; readonly set: readonly string[] },
  onProgress: (entries: number) => void = () => {},
): Promise<Backup> {
  const head = await store.head();
  if (head === undefined) {
    throw new FatalError('backup-empty', 'the store has no commit yet: there is nothing to back up');
  }
  const chunksFolder = join(folder, CHUNKS);
  await mkdir(chunksFolder, { recursive: true }).catch((error: unknown) => {
    throw writeFailure(chunksFolder, error);
  });
  const census = new Census(store.layout);
  const builder = new ChunkBuilder();
  const chunks: Chunk[] = [];
  const written = { chunks: 0, bytes: 0 };
  let [entries, bytes] = [0, 0];
  const end = async () => {
    if (builder.entries === 0) return;
    const packed = await compress(builder.bytes, COMPRESSION);
    const chunk = {
      sha256: sha256(packed),
      fileBytes: packed.length,
      bytes: builder.bytes.length,
      entries: builder.entries,
    };
    if (await writeMissing(join(chunksFolder, chunk.sha256), packed)) {
      written.chunks++;
      written.bytes += packed.length;
    }
    chunks.push(chunk);
    entries += chunk.entries;
    bytes += chunk.bytes;
    builder.clear();
    onProgress(entries);
  };
  for await (const entry of store.entries.scan(new Uint8Array())) {
    census.add(entry);
    if (!builder.add(entry)) {
      await end();
      builder.add(entry);
    }
    if (builder.ends) await end();
  }
  await end();
  const differing = census.differences(head);
  if (differing.length > 0) {
    throw new FatalError(
      'backup-inconsistent',
      `the store does not match its head: ${differing.join('; ')}. It was not backed up, since it could not be ` +
        'restored; see twhin check',
    );
  }
  await sync(chunksFolder);
  const manifest: Manifest = {
    format: FORMAT,
    graph: head.graph,
    store: about.store,
    at: about.at,
    fingerprint: fingerprint(head.model),
    set: [...about.set],
    head,
    entries,
    bytes,
    chunks,
  };
  await writeManifest(folder, manifest);
  await sync(folder);
  return { manifest, written, removed: await removeOthers(chunksFolder, chunks) };
}

async function sync(folder: string): Promise<void> {
  await syncFolder(folder).catch((error: unknown) => {
    throw writeFailure(folder, error);
  });
}

/** Writes a chunk unless an intact one is there. Returns whether it was written. */
async function writeMissing(path: string, packed: Buffer): Promise<boolean> {
  const there = await readSized(path, packed.length);
  if (there?.equals(packed)) return false;
  await writeFile(path, packed);
  return true;
}

/** Deletes files that are not chunks of the manifest. */
async function removeOthers(folder: string, chunks: readonly Chunk[]): Promise<number> {
  const named = new Set(chunks.map(({ sha256: name }) => name));
  const others = (await readdir(folder)).filter((name) => !named.has(name));
  for (const name of others) await rm(join(folder, name), { force: true });
  return others.length;
}

/** Counts all entries of a store, to compare them with its head. */
class Census {
  readonly #layout: Layout;
  readonly #entities: number[];
  readonly #edges: number[];
  #outbox = 0;
  #outboxParts = 0;

  constructor(layout: Layout) {
    this.#layout = layout;
    this.#entities = layout.entityTypes.map(() => 0);
    this.#edges = layout.relations.map(() => 0);
  }

  add({ key, value }: Entry): void {
    const { entities, edges, outboxNames, outboxParts } = this.#layout.prefixes;
    if (key[0] === entities[0]) this.#count(this.#entities, key[1]);
    else if (key[0] === outboxNames[0]) this.#outbox++;
    else if (key[0] === outboxParts[0]) {
      this.#outboxParts++;
      this.#outbox += this.#layout.decodeNames(value).length;
    }
    // The relation follows the first entity (see the layout). Removed edges are not counted.
    else if (key[0] === edges[0] && value[8] === 0) this.#count(this.#edges, key[4 + (key[2] ?? 0)]);
  }

  /** The differences from the head's counts, a phrase each. */
  differences(head: Head): string[] {
    const of = (what: string, there: number, counted: number) =>
      there === counted ? [] : [`${there} ${what}, the head counts ${counted}`];
    return [
      ...this.#layout.entityTypes.flatMap((type, i) =>
        of(`entities of type ${type}`, this.#entities[i] ?? 0, head.entities[type] ?? 0),
      ),
      ...this.#layout.relations.flatMap(({ name }, i) =>
        of(`live ${name} edges`, this.#edges[i] ?? 0, head.edges[name] ?? 0),
      ),
      // More than the head counts is right: see the check.
      ...of('vectors to publish', Math.min(this.#outbox, head.outbox), head.outbox),
      ...of('parts of the outbox', Math.min(this.#outboxParts, head.outboxParts), head.outboxParts),
    ];
  }

  #count(counts: number[], index: number | undefined): void {
    if (index !== undefined && index < counts.length) counts[index] = (counts[index] ?? 0) + 1;
  }
}
