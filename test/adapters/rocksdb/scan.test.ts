import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { runsOf } from '../../../src/adapters/rocksdb/store.ts';
import type { Entry } from '../../../src/graph/store.ts';

/** A stream whose entries come when the test gives them. */
const made = () => new Readable({ objectMode: true, read: () => undefined });
const give = (stream: Readable, ...numbers: number[]) => {
  for (const n of numbers) stream.push({ key: Buffer.of(n), value: Buffer.of(n) });
};
const runs = (stream: Readable) =>
  runsOf(stream, (cause) => new Error('not read', { cause }))[Symbol.asyncIterator]();
const turn = () => new Promise((resolve) => setImmediate(resolve));
const numbers = (run: readonly Entry[] | undefined) => run?.map(({ key }) => key[0]);

describe('runsOf', () => {
  test('gives the arrived entries at once, and waits for the rest', async () => {
    const stream = made();
    const all = runs(stream);
    const first = all.next();
    await turn();
    give(stream, 1, 2, 3);
    expect(numbers((await first).value)).toEqual([1, 2, 3]);
    give(stream, 4);
    give(stream, 5);
    expect(numbers((await all.next()).value)).toEqual([4, 5]);
    const last = all.next();
    give(stream, 6);
    stream.push(null);
    expect(numbers((await last).value)).toEqual([6]);
    expect((await all.next()).done).toBe(true);
  });

  test('gives the entries before a failure, then throws the failure', async () => {
    const stream = made();
    const all = runs(stream);
    const first = all.next();
    give(stream, 1);
    expect(numbers((await first).value)).toEqual([1]);
    const second = all.next();
    await turn();
    stream.destroy(new Error('a bad block'));
    await expect(second).rejects.toMatchObject({ message: 'not read', cause: { message: 'a bad block' } });
  });

  test('destroys the stream when the reader leaves early, and waits for its end', async () => {
    const stream = made();
    const all = runs(stream);
    give(stream, 1, 2);
    expect(numbers((await all.next()).value)).toEqual([1, 2]);
    await all.return?.();
    expect(stream.closed).toBe(true);
  });
});
