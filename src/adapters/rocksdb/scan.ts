import type { Entry } from '../../graph/store.ts';

/** The part of the binding's stream that `runsOf` uses. The stream ends with `close`, after `error` if it failed. */
export interface EntryStream {
  on(event: 'readable' | 'close', listener: () => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
  /** null: no entry has arrived yet, or the stream has ended. */
  read(): Entry | null;
  destroy(): void;
}

/**
 * The entries of a stream, each time as many as have arrived: RocksDB's own thread reads the next ones while the caller
 * handles these. The stream's own iterator would wait for every single entry.
 * Destroys the stream when the caller leaves the loop early.
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
