import { describe, expect, test } from 'vitest';
import { type EntryStream, runsOf } from '../../../src/adapters/rocksdb/store.ts';
import type { Entry } from '../../../src/graph/store.ts';

const entry = (n: number): Entry => ({ key: Buffer.of(n), value: Buffer.of(n) });

/** A stream whose entries come when the test says so. */
class MadeStream implements EntryStream {
  readonly #listeners = new Map<string, ((error: Error) => void)[]>();
  readonly #waiting: Entry[] = [];
  destroyed = 0;

  on(event: string, listener: (error: Error) => void): void {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
  }

  read(): Entry | null {
    return this.#waiting.shift() ?? null;
  }

  destroy(): void {
    this.destroyed++;
    setImmediate(() => this.say('close'));
  }

  give(...numbers: number[]): void {
    this.#waiting.push(...numbers.map(entry));
    this.say('readable');
  }

  say(event: 'readable' | 'close' | 'error', error = new Error('a bad block')): void {
    for (const listener of this.#listeners.get(event) ?? []) listener(error);
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const numbers = (run: readonly Entry[] | undefined) => run?.map(({ key }) => key[0]);

describe('runsOf', () => {
  test('gives the arrived entries at once, and waits for the rest', async () => {
    const stream = new MadeStream();
    const runs = runsOf(stream)[Symbol.asyncIterator]();
    const first = runs.next();
    await turn();
    stream.give(1, 2, 3);
    expect(numbers((await first).value)).toEqual([1, 2, 3]);
    stream.give(4);
    stream.give(5);
    expect(numbers((await runs.next()).value)).toEqual([4, 5]);
    const last = runs.next();
    stream.give(6);
    stream.say('close');
    expect(numbers((await last).value)).toEqual([6]);
    expect((await runs.next()).done).toBe(true);
    expect(stream.destroyed).toBe(0);
  });

  test('gives the entries before a failure, then throws the failure', async () => {
    const stream = new MadeStream();
    const runs = runsOf(stream)[Symbol.asyncIterator]();
    const first = runs.next();
    stream.give(1);
    expect(numbers((await first).value)).toEqual([1]);
    const second = runs.next();
    await turn();
    stream.say('error');
    stream.say('close');
    await expect(second).rejects.toThrow('a bad block');
  });

  test('destroys the stream when the reader leaves early, and waits for its end', async () => {
    const stream = new MadeStream();
    setImmediate(() => stream.give(1, 2));
    for await (const run of runsOf(stream)) {
      expect(numbers(run)).toEqual([1, 2]);
      break;
    }
    expect(stream.destroyed).toBe(1);
  });
});
