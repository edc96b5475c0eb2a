import type { FastifyReply } from 'fastify';
import type { Status } from './status.ts';

const EVERY_MS = 1_000;
/** Pages open at the same time, at most. */
const READERS = 32;

/** Sends the status every second to all who listen, for as long as anyone does. */
export class StatusStream {
  readonly #status: () => Promise<Status>;
  readonly #failed: (reason: unknown) => void;
  readonly #readers = new Set<FastifyReply['raw']>();
  #timer: NodeJS.Timeout | undefined;
  #sending = false;

  constructor(status: () => Promise<Status>, failed: (reason: unknown) => void) {
    this.#status = status;
    this.#failed = failed;
  }

  get full(): boolean {
    return this.#readers.size >= READERS;
  }

  /** Takes the answer over; it ends when the other side goes or with `stop`. */
  add(reply: FastifyReply): void {
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      // A proxy that gathers answers would hold the events back.
      'x-accel-buffering': 'no',
    });
    // Come again a second after it breaks: the process may be starting anew.
    raw.write('retry: 1000\n\n');
    this.#readers.add(raw);
    raw.on('close', () => this.#readers.delete(raw));
    this.#timer ??= setInterval(() => void this.#send(), EVERY_MS);
    void this.#send();
  }

  stop(): void {
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
        // One that does not read is not written to until it does: nothing piles up for it.
        if (!reader.writableNeedDrain) reader.write(event);
      }
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#sending = false;
    }
  }
}
