import { z } from 'zod';
import { type Running, until } from '../../../e2e/twhin.ts';

const MIB = 1024 * 1024;
const ANSWER_MS = 30_000;
const answer = z.object({ id: z.number(), result: z.object({ usedSize: z.number().optional() }) });

/** Node's option for a process that can be asked for a collection. It serves its debugger on this machine alone. */
export const ASKABLE = '--inspect=127.0.0.1:0';

/** Asks a process what its main thread's heap holds once everything that can go has gone. */
export class HeldHeap {
  readonly #socket: WebSocket;
  #id = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  /** Of a process that was started with {@link ASKABLE}. */
  static async of(running: Running): Promise<HeldHeap> {
    const said = () => /Debugger listening on (ws:\S+)/.exec(running.stderr)?.[1];
    await until('the debugger', () => said() !== undefined);
    const socket = new WebSocket(said() ?? '');
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve, { once: true });
      socket.addEventListener('error', reject, { once: true });
    });
    return new HeldHeap(socket);
  }

  /** MiB. */
  async measure(): Promise<number> {
    await this.#ask('HeapProfiler.collectGarbage');
    return ((await this.#ask('Runtime.getHeapUsage')) ?? 0) / MIB;
  }

  close(): void {
    this.#socket.close();
  }

  #ask(method: string): Promise<number | undefined> {
    const id = ++this.#id;
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
    const timer = setTimeout(() => reject(new Error(`no answer to ${method}`)), ANSWER_MS);
    const hear = ({ data }: MessageEvent) => {
      const heard = answer.safeParse(JSON.parse(String(data)));
      if (heard.data?.id === id) resolve(heard.data.result.usedSize);
    };
    this.#socket.addEventListener('message', hear);
    this.#socket.send(JSON.stringify({ id, method }));
    return promise.finally(() => {
      clearTimeout(timer);
      this.#socket.removeEventListener('message', hear);
    });
  }
}
