import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';

/** A file written piece by piece; writing waits for the disk. */
export class StreamedFile {
  readonly #file: WriteStream;

  constructor(path: string) {
    this.#file = createWriteStream(path);
    // The write or the end that follows meets it.
    this.#file.on('error', () => undefined);
  }

  async put(what: string | Uint8Array): Promise<void> {
    if (this.#file.errored) throw this.#file.errored;
    if (!this.#file.write(what)) await once(this.#file, 'drain');
  }

  async end(): Promise<void> {
    this.#file.end();
    await finished(this.#file);
  }

  async close(): Promise<void> {
    this.#file.destroy();
    // What was not written yet fails, and that is no failure of the closing.
    await finished(this.#file).catch(() => undefined);
  }
}
