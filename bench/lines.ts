import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { reasonOf, UsageError } from '../src/errors/errors.ts';

/** The lines of a file that somebody named, which may be gzip. @throws UsageError naming a file that can't be read. */
export async function* linesOf(file: string): AsyncGenerator<string> {
  const bytes = createReadStream(file);
  // What fails is thrown to the loop: readline would let it end the process.
  const text = file.endsWith('.gz') ? pipeline(bytes, createGunzip(), () => undefined) : bytes;
  let rest = '';
  try {
    for await (const part of text.setEncoding('utf8')) {
      const lines = `${rest}${part}`.split(/\r?\n/);
      rest = lines.pop() ?? '';
      yield* lines;
    }
  } catch (error) {
    throw new UsageError(
      `${file} can't be read: ${reasonOf(error)}; name a file of lines, or of lines as .gz`,
    );
  }
  if (rest !== '') yield rest;
}
