import { setTimeout as sleep } from 'node:timers/promises';
import type { Running } from '../../e2e/twhin.ts';
import type { Faulty } from '../deployment.ts';

const RESTART_MS = 500;

/** How an updater ended that nobody had ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly lastWords: string;
}

/** Keeps one updater running, as an orchestrator does: whatever ends it, it is started again. */
export class Supervisor {
  starts = 0;
  /** Endings that no fault had asked for: refusals and crashes. */
  readonly endings: Ending[] = [];
  running: Running | undefined;
  /** Before the next start, with the process gone: for what can't be done beside it. */
  between: (() => Promise<void>) | undefined;
  /** The next start's environment, once. */
  env: Readonly<Record<string, string>> = {};
  readonly #faulty: Faulty;
  #asked = false;
  #stopping = false;
  #loop: Promise<void> | undefined;

  constructor(faulty: Faulty) {
    this.#faulty = faulty;
  }

  start(): void {
    this.#loop = this.#run();
  }

  /** Ends the process by a fault; it is started again. */
  end(signal: NodeJS.Signals): void {
    this.#asked = true;
    this.running?.kill(signal);
  }

  /** Ends it for good. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.end('SIGKILL');
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      const { env } = this;
      // One that is to die at a place dies by our own hand as well.
      this.#asked = Object.keys(env).length > 0;
      this.env = {};
      this.starts++;
      this.running = this.#faulty.run([], { env });
      const { code, signal, stderr } = await this.running.ended;
      this.running = undefined;
      if (!this.#asked) this.endings.push({ code, signal, lastWords: stderr.trim().slice(-600) });
      await this.between?.();
      this.between = undefined;
      await sleep(RESTART_MS);
    }
  }
}
