import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeAtomically } from '../adapters/atomic-file.ts';
import { FatalError, hasCode, reasonOf } from '../errors/errors.ts';
import { headSchema } from '../graph/head.ts';

/*
 * DIR/<graph>/
 *   manifest.json            describes the backup and names its files; JSON, renamed into place last
 *   <sha-256>.zst            the entries (see backup.ts)
 *   <sha-256>.checkpoint     the checkpoint that the head names, where it names one (see adapters/checkpoint-file.ts)
 *
 * Files are named by the SHA-256 of their bytes, so that sha256sum checks them.
 *
 * The manifest's own checksum is the SHA-256 of the JSON of all its other fields, in their order, without spaces.
 */
export const FORMAT = 6;
export const MANIFEST = 'manifest.json';
export const DATA = /^[0-9a-f]{64}\.(zst|checkpoint)$/;
/** Ending of a file that is being written. */
export const PARTIAL = '.partial';
const MAX_MANIFEST_BYTES = 16 * 1024 * 1024;

const size = z.number().int().nonnegative();
const sum = {
  fileBytes: size,
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'expected the 64 hex digits of a SHA-256'),
};
const sumSchema = z.object(sum);

/** Size and SHA-256 of a file. */
export type FileSum = z.infer<typeof sumSchema>;

const manifestSchema = z.object({
  format: z.literal(FORMAT),
  graph: z.string(),
  store: z.string(),
  /** ISO 8601. */
  at: z.string(),
  /** Settings that override the configuration, `key=value` each. */
  set: z.array(z.string()),
  /** Fingerprint of the model; the model itself is in the head. */
  fingerprint: z.string(),
  head: headSchema,
  entries: size,
  /** Uncompressed. */
  bytes: size,
  /** Of the file of the entries. */
  ...sum,
  /** Absent where the head names no checkpoint. */
  checkpoint: sumSchema.optional(),
});

export type Manifest = z.infer<typeof manifestSchema>;

/** The manifest with its checksum, as text. */
export function manifestText(manifest: object): string {
  return `${JSON.stringify({ ...manifest, checksum: checksumOf(manifest) })}\n`;
}

export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  const path = join(folder, MANIFEST);
  await writeAtomically(path, manifestText(manifest), `${path}${PARTIAL}`);
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
      'backup-read',
      `${path} has format ${format}, and this version reads format ${FORMAT}: restore it with the version that wrote it, and give ` +
        'new backups another folder',
    );
  }
  if (checksum !== checksumOf(rest)) throw damaged(path, 'its checksum does not match');
  const parsed = manifestSchema.safeParse(rest);
  if (!parsed.success) throw damaged(path, z.prettifyError(parsed.error));
  const manifest = parsed.data;
  if (named !== graph || manifest.head.graph !== graph) {
    throw new FatalError('backup-read', `${path} is of the graph ${named}, not of ${graph}`);
  }
  return manifest;
}

function checksumOf(manifest: object): string {
  return createHash('sha256').update(JSON.stringify(manifest)).digest('hex');
}

async function readJson(path: string): Promise<unknown> {
  try {
    const { size: bytes } = await stat(path);
    if (bytes > MAX_MANIFEST_BYTES)
      throw damaged(path, `it has ${bytes} bytes, at most ${MAX_MANIFEST_BYTES} are possible`);
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    if (error instanceof FatalError) throw error;
    if (hasCode(error, 'ENOENT')) return undefined;
    throw damaged(path, reasonOf(error), error);
  }
}

function damaged(path: string, reason: string, cause?: unknown): FatalError {
  const message = `${path} can't be used: ${reason}; use another copy of the backup, or twhin replay`;
  return new FatalError('backup-damaged', message, { cause });
}
