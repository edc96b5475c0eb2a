import type { Entry } from '../../graph/store.ts';

/** What is used of the binding's stream: it ends with `close`, after `error` where it failed. */
export interface EntryStream {
  on(event: 'readable' | 'close', listener: () => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
  /** null: nothing has come yet, or no more will. */
  read(): Entry | null;
  destroy(): void;
}

/**
 * What a stream of entries gives, as many at a time as have come: the next are read in RocksDB's own thread while these
 * are looked at. One by one, as the stream itself would have it, each of them waits for the one before.
 * Left early, it lets the stream go.
 */
export async function* runsOf(stream: EntryStream): AsyncIterable<readonly Entry[]> {
  let closed = false;
  let failure: Error | undefined;
  let wake = Promise.withResolvers<void>();
  stream.on('readable', () => wake.resolve());
  stream.on('error', (error) => {
    failure = error;
  });
  stream.on('close', () => {
    closed = true;
    wake.resolve();
  });
  try {
    for (;;) {
      wake = Promise.withResolvers();
      const run: Entry[] = [];
      for (let entry = stream.read(); entry !== null; entry = stream.read()) run.push(entry);
      if (run.length > 0) {
        yield run;
        continue;
      }
      if (failure !== undefined) throw failure;
      if (closed) return;
      await wake.promise;
    }
  } finally {
    while (!closed) {
      wake = Promise.withResolvers();
      stream.destroy();
      await wake.promise;
    }
  }
}
