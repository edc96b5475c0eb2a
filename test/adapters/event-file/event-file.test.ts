import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type EventFileOptions, readEvents } from '../../../src/adapters/event-file/event-file.ts';
import { FatalError, UsageError } from '../../../src/errors/errors.ts';
import { freshFolder } from '../../fresh-folder.ts';

interface Seen {
  line: number;
  raw: string | null;
  code?: string;
}

async function readAll(path: string, options: EventFileOptions = {}): Promise<Seen[]> {
  const seen: Seen[] = [];
  for await (const { line, raw, problem } of readEvents(path, options)) {
    const text = raw === null ? null : raw.toString('utf8');
    seen.push(problem === undefined ? { line, raw: text } : { line, raw: text, code: problem.code });
  }
  return seen;
}

/** The events of a stdin that delivers `pieces`. */
const piped = (pieces: (string | Buffer)[], options: EventFileOptions = {}): Promise<Seen[]> =>
  readAll('-', { ...options, stdin: Readable.from(pieces.map((piece) => Buffer.from(piece))) });

async function file(name: string, content: string | Buffer): Promise<string> {
  const path = join(await freshFolder(), name);
  await writeFile(path, content);
  return path;
}

describe('lines', () => {
  test('LF, CRLF, blank lines, a byte order mark, and a last line without an end are read', async () => {
    expect(await piped(['\u{feff}{"a":1}\n', '\r\n  \n', '{"b":2}\r\n', '{"c":3}'])).toEqual([
      { line: 1, raw: '{"a":1}' },
      { line: 4, raw: '{"b":2}' },
      { line: 5, raw: '{"c":3}' },
    ]);
  });

  test('an empty file has no events', async () => {
    expect(await piped([])).toEqual([]);
    expect(await readAll(await file('empty', ''))).toEqual([]);
    expect(await readAll(await file('one-byte', 'x'))).toEqual([{ line: 1, raw: 'x' }]);
  });

  test('are the same for any split of the bytes into chunks', async () => {
    const line = fc
      .string({ unit: 'grapheme', maxLength: 8 })
      .map((text) => text.replace(/[\s\ufeff]/g, '_'));
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { maxLength: 6 }),
        fc.constantFrom('\n', '\r\n'),
        fc.integer({ min: 1, max: 5 }),
        async (lines, end, cut) => {
          const bytes = Buffer.from(lines.map((text) => text + end).join(''));
          const pieces: Buffer[] = [];
          for (let at = 0; at < bytes.length; at += cut) pieces.push(bytes.subarray(at, at + cut));
          const expected = lines.flatMap((raw, index) => (raw === '' ? [] : [{ line: index + 1, raw }]));
          expect(await piped(pieces)).toEqual(expected);
        },
      ),
    );
  });

  test('a line that is too long is reported, and the next line is read', async () => {
    const long = 'x'.repeat(11);
    expect(await piped([`${long}\nok\n`, 'x'.repeat(10), `\r\n${long}`], { maxLineBytes: 10 })).toEqual([
      { line: 1, raw: null, code: 'too-large' },
      { line: 2, raw: 'ok' },
      { line: 3, raw: 'x'.repeat(10) },
      { line: 4, raw: null, code: 'too-large' },
    ]);
  });

  test('a line that never ends is not held in memory', async () => {
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    function* flood(): Generator<Buffer> {
      for (let piece = 0; piece < 300; piece++) {
        most = Math.max(most, process.memoryUsage().arrayBuffers - before);
        yield Buffer.alloc(1_000_000, 'x');
      }
    }
    expect(await readAll('-', { stdin: Readable.from(flood()) })).toEqual([
      { line: 1, raw: null, code: 'too-large' },
    ]);
    expect(most).toBeLessThan(200_000_000);
  });
});

describe('files', () => {
  test('gzip is recognized by its bytes, not by its name; concatenated gzip files are one file', async () => {
    const parts = Buffer.concat([gzipSync('{"a":1}\n{"b"'), gzipSync(':2}\n')]);
    const expected = [
      { line: 1, raw: '{"a":1}' },
      { line: 2, raw: '{"b":2}' },
    ];
    expect(await readAll(await file('events', parts))).toEqual(expected);
    expect(await readAll(await file('plain.gz', '{"a":1}\n{"b":2}\n'))).toEqual(expected);
    expect(await piped([...parts].map((byte) => Buffer.from([byte])))).toEqual(expected);
  });

  test('a truncated gzip file gives its events, then an error that names the file', async () => {
    const packed = gzipSync('{"a":1}\n'.repeat(50_000));
    const path = await file('cut', packed.subarray(0, packed.length - 20));
    let count = 0;
    const reading = async () => {
      for await (const _event of readEvents(path)) count++;
    };
    await expect(reading()).rejects.toThrow(FatalError);
    await expect(reading()).rejects.toThrow(/cut: its gzip is damaged or cut off/);
    expect(count).toBeGreaterThan(0);
  });

  test('a missing file or a folder is a usage error', async () => {
    const folder = await freshFolder();
    await expect(readAll(join(folder, 'absent'))).rejects.toThrow(UsageError);
    await expect(readAll(join(folder, 'absent'))).rejects.toThrow(/no such file: .*absent/);
    await expect(readAll(folder)).rejects.toThrow(/is a folder/);
  });

  test('a signal ends a silent stdin', async () => {
    const stdin = new PassThrough();
    stdin.write('{"a":1}\n');
    const stop = new AbortController();
    const seen: number[] = [];
    for await (const event of readEvents('-', { stdin, signal: stop.signal })) {
      seen.push(event.line);
      setTimeout(() => stop.abort(), 20);
    }
    expect(seen).toEqual([1]);
    expect(stdin.destroyed).toBe(true);
  });

  test('a reader that leaves early closes the stream', async () => {
    const stdin = Readable.from([Buffer.from('{}\n{}\n'), Buffer.from('{}\n')]);
    for await (const _event of readEvents('-', { stdin })) break;
    expect(stdin.destroyed).toBe(true);
  });
});
