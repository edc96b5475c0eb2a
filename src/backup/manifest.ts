import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { FatalError, reasonOf } from '../errors/errors.ts';
import { headSchema } from '../graph/head.ts';
import { MAX_CHUNK_BYTES } from './chunk.ts';
import { sha256, writeFile } from './files.ts';

/*
 * DIR/<graph>/
 *   manifest.json        describes the backup and lists its chunks; JSON, written last
 *   chunks/<sha-256>     compressed chunks (see chunk.ts), named by the SHA-256 of the file, so that sha256sum checks them
 *
 * The manifest's own checksum is the SHA-256 of the JSON of all its other fields, in their order, without spaces.
 */
export const FORMAT = 1;
export const MANIFEST = 'manifest.json';
export const CHUNKS = 'chunks';
/** A backup of a terabyte has a quarter of a million chunks and a manifest of 40 MB. */
const MAX_MANIFEST_BYTES = 128 * 1024 * 1024;

const size = z.number().int().nonnegative();

const chunkSchema = z.object({
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'expected the 64 hex digits of a SHA-256'),
  /** Size of the compressed file. */
  fileBytes: size.max(2 * MAX_CHUNK_BYTES),
  /** Uncompressed. */
  bytes: size.max(MAX_CHUNK_BYTES),
  entries: size,
});

export type Chunk = z.infer<typeof chunkSchema>;

const manifestSchema = z.object({
  format: z.literal(FORMAT),
  graph: z.string(),
  /** Name of the store. */
  store: z.string(),
  /** ISO 8601. */
  at: z.string(),
  /** Fingerprint of the model; the model itself is in the head. */
  fingerprint: z.string(),
  /** Settings that override the configuration, `key=value` each. */
  set: z.array(z.string()),
  head: headSchema,
  entries: size,
  bytes: size,
  /** In the order of the store's keys. */
  chunks: z.array(chunkSchema),
});

export type Manifest = z.infer<typeof manifestSchema>;

export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  const checksum = sha256(Buffer.from(JSON.stringify(manifest)));
  await writeFile(join(folder, MANIFEST), Buffer.from(`${JSON.stringify({ ...manifest, checksum })}\n`));
}

/**
 * The manifest of a graph's backup; undefined where there is no backup.
 * @throws FatalError when the manifest was changed, or is of another format or graph.
 */
export async function readManifest(folder: string, graph: string): Promise<Manifest | undefined> {
  const path = join(folder, MANIFEST);
  const json = await readJson(path);
  if (json === undefined) return undefined;
  const { checksum, ...rest } = z.record(z.string(), z.unknown()).catch({}).parse(json);
  const { format, graph: named } = rest;
  if (typeof format !== 'number' || typeof named !== 'string')
    throw damaged(path, 'it is not a manifest of a backup');
  if (format !== FORMAT) {
    throw new FatalError(
      'backup-format',
      `${path} has format ${format}, and this version reads format ${FORMAT}; restore with the version that wrote the backup`,
    );
  }
  if (checksum !== sha256(Buffer.from(JSON.stringify(rest))))
    throw damaged(path, 'its checksum does not match');
  const parsed = manifestSchema.safeParse(rest);
  if (!parsed.success) throw damaged(path, z.prettifyError(parsed.error));
  const manifest = parsed.data;
  if (named !== graph || manifest.head.graph !== graph) {
    throw new FatalError('backup-graph', `${path} is of the graph ${named}, not of ${graph}`);
  }
  return manifest;
}

async function readJson(path: string): Promise<unknown> {
  try {
    const { size: bytes } = await stat(path);
    if (bytes > MAX_MANIFEST_BYTES)
      throw damaged(path, `it has ${bytes} bytes, at most ${MAX_MANIFEST_BYTES} are possible`);
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    if (error instanceof FatalError) throw error;
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw damaged(path, reasonOf(error), error);
  }
}

function damaged(path: string, reason: string, cause?: unknown): FatalError {
  return new FatalError(
    'backup-damaged',
    `${path} can't be used: ${reason}; use another copy of the backup, or twhin replay`,
    { cause },
  );
}
