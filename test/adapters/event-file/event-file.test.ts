import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EventFileOptions, readEvents } from '../../../src/adapters/event-file/event-file.ts';
import { FatalError, UsageError } from '../../../src/errors/errors.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'event-file-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

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
  const path = join(folder, name);
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

  test('bytesRead grows to the size of the packed file', async () => {
    const packed = gzipSync('{"a":1}\n'.repeat(1000));
    const path = await file('packed', packed);
    let last = 0;
    for await (const event of readEvents(path)) last = event.bytesRead;
    expect(last).toBe(packed.length);
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

describe('csv', () => {
  const csv = (text: string) => piped([text], { format: 'csv' });

  test('the header names the fields; ids stay text; a numeric time is a number', async () => {
    expect(
      await csv('userId, tweetId,action,at\n007,t,like,1704067200000\r\n8,t,like,2024-01-01T00:00:00Z\n'),
    ).toEqual([
      { line: 2, raw: '{"userId":"007","tweetId":"t","action":"like","at":1704067200000}' },
      { line: 3, raw: '{"userId":"8","tweetId":"t","action":"like","at":"2024-01-01T00:00:00Z"}' },
    ]);
  });

  test('quoted cells may hold quotes, commas and line ends', async () => {
    expect(await csv('userId,query\n1,"a ""b"", c"\n2,"two\r\n\r\nlines"\n3,""\n4,"x"\n')).toEqual([
      { line: 2, raw: '{"userId":"1","query":"a \\"b\\", c"}' },
      { line: 3, raw: '{"userId":"2","query":"two\\n\\nlines"}' },
      { line: 6, raw: '{"userId":"3","query":""}' },
      { line: 7, raw: '{"userId":"4","query":"x"}' },
    ]);
  });

  test('any cells are read back unchanged', async () => {
    const cell = fc
      .string({ unit: 'grapheme', maxLength: 10 })
      .map((text) => text.replace(/\r/g, '').toWellFormed());
    const row = fc.tuple(cell, cell);
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 5 }), async (rows) => {
        const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
        const text = `a,b\n${rows.map(([a, b]) => `${quoted(a)},${quoted(b)}\n`).join('')}`;
        const read = await csv(text);
        expect(read.map(({ raw }) => JSON.parse(raw ?? 'null'))).toEqual(rows.map(([a, b]) => ({ a, b })));
      }),
    );
  });

  test('a wrong record does not affect other records', async () => {
    expect(await csv('a,b\n1,2,3\n1\nx"y,2\n"x"y,2\n5,6\n')).toEqual([
      { line: 2, raw: '1,2,3', code: 'wrong-shape' },
      { line: 3, raw: '1', code: 'wrong-shape' },
      { line: 4, raw: 'x"y,2', code: 'wrong-shape' },
      { line: 5, raw: '"x"y,2', code: 'wrong-shape' },
      { line: 6, raw: '{"a":"5","b":"6"}' },
    ]);
  });

  test('a quote that is never closed loses only its own line', async () => {
    const rows = Array.from({ length: 5000 }, (_, index) => `${index},good row number\n`);
    const read = await csv(`a,b\n1,"open\n${rows.join('')}2,"open\n3,"at the end\n4,ok`);
    const bad = read.filter(({ code }) => code !== undefined);
    expect(bad.map(({ line }) => line)).toEqual([2, 5003, 5004]);
    expect(read).toHaveLength(5004);
    expect(read.at(-1)).toEqual({ line: 5005, raw: '{"a":"4","b":"ok"}' });
  });

  test('a column named __proto__ reaches the check of the topic; a column without a name is skipped', async () => {
    expect(await csv('__proto__,,b\n1,2,3\n')).toEqual([{ line: 2, raw: '{"__proto__":"1","b":"3"}' }]);
  });

  test('a column named twice is a usage error', async () => {
    await expect(csv('a,b,a\n1,2,3\n')).rejects.toThrow(UsageError);
  });

  test('each Latin-1 line is rejected', async () => {
    const read = await piped(['a\ncaf', Buffer.from([0xe9]), '\nok\n'], { format: 'csv' });
    expect(read.map(({ line, code }) => [line, code])).toEqual([
      [2, 'not-json'],
      [3, undefined],
    ]);
  });

  test('is decided by the name of the file', async () => {
    expect(await readAll(await file('events.csv.gz', gzipSync('a\n1\n')))).toEqual([
      { line: 2, raw: '{"a":"1"}' },
    ]);
  });
});

describe('higgs', () => {
  test('a line becomes an engagement event', async () => {
    const text = '223789 213163 1341100972 MT\n1 2 1341100973 RE\n1 2 1341100974 RT\n';
    expect(await piped([text], { format: 'higgs' })).toEqual([
      { line: 1, raw: '{"userId":"223789","tweetId":"213163","action":"mention","at":1341100972000}' },
      { line: 2, raw: '{"userId":"1","tweetId":"2","action":"reply","at":1341100973000}' },
      { line: 3, raw: '{"userId":"1","tweetId":"2","action":"retweet","at":1341100974000}' },
    ]);
  });

  test('any other line is rejected', async () => {
    const lines = ['1 2 1341100972', '1 2 now RT', '1 2 3 RT 4', '1 2 3 XX', '1 2 3 constructor'];
    const read = await piped([lines.join('\n')], { format: 'higgs' });
    expect(read.map(({ code }) => code)).toEqual([
      'wrong-shape',
      'wrong-shape',
      'wrong-shape',
      'unknown-action',
      'unknown-action',
    ]);
    expect(read.map(({ raw }) => raw)).toEqual(lines);
  });
});
