import type { FastifyReply } from 'fastify';
import type { Status } from './status.ts';

const EVERY_MS = 1_000;
/** Maximum number of simultaneous readers. */
const READERS = 32;

/** Sends the status to all readers every second, while there is a reader. */
export class StatusStream {
  readonly #status: () => Promise<Status>;
  readonly #failed: (reason: unknown) => void;
  readonly #readers = new Set<FastifyReply['raw']>();
  #timer: NodeJS.Timeout | undefined;
  #sending = false;
  #stopped = false;

  constructor(status: () => Promise<Status>, failed: (reason: unknown) => void) {
    this.#status = status;
    this.#failed = failed;
  }

  get full(): boolean {
    return this.#readers.size >= READERS;
  }

  /** Takes over the reply; the reply ends when the client disconnects or with `stop`, and at once after it. */
  add(reply: FastifyReply): void {
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      // A buffering proxy would delay the events.
      'x-accel-buffering': 'no',
    });
    // The browser reconnects a second after a break: the process may be restarting.
    raw.write('retry: 1000\n\n');
    if (this.#stopped) {
      raw.end();
      return;
    }
    this.#readers.add(raw);
    raw.on('close', () => this.#readers.delete(raw));
    this.#timer ??= setInterval(() => void this.#send(), EVERY_MS);
    void this.#send();
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
    for (const reader of this.#readers) reader.end();
    this.#readers.clear();
  }

  async #send(): Promise<void> {
    if (this.#sending) return;
    if (this.#readers.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    this.#sending = true;
    try {
      const event = `event: status\ndata: ${JSON.stringify(await this.#status())}\n\n`;
      for (const reader of this.#readers) {
        // A reader that does not read misses events: nothing piles up in memory.
        if (!reader.writableNeedDrain) reader.write(event);
      }
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#sending = false;
    }
  }
}
