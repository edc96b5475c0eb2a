import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';

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
    if (this.#file.errored) throw this.#file.errored;
    this.#file.end();
    await once(this.#file, 'finish');
  }

  async close(): Promise<void> {
    if (this.#file.closed) return;
    // Not `once` of node:events: what was not written yet fails, and that is no failure of the closing.
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    this.#file.once('close', resolve);
    this.#file.destroy();
    await closed;
  }
}
