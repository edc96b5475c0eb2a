import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { z } from 'zod';

/** How a command ended, and what it said. */
const saidSchema = z.object({
  ...{ code: z.number(), signal: z.null().default(null) },
  ...{ stdout: z.string(), stderr: z.string() },
});
type Said = z.infer<typeof saidSchema>;

/** The environment in which Node keeps what it compiles, as bin/twhin.js does by itself: half of the time of a start is compiling. */
export const COMPILED = {
  NODE_COMPILE_CACHE: join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'node'),
};

/** Commands that set up a deployment or look at it, and keep nothing in their process from one to the next. */
const COMMANDS: ReadonlySet<string> = new Set(['topics', 'feed', 'stats', 'show', 'check']);

/**
 * A second process that runs short commands of a test, one after the other. To start a process for each would take ten times
 * as long as most of them take; what a process of its own does (signals, stdin, exit) is tested with one.
 */
class Companion {
  readonly #child: ChildProcess;
  #last: Promise<unknown> = Promise.resolve();

  constructor() {
    const env = { PATH: process.env['PATH'] ?? '', ...COMPILED };
    this.#child = fork(join(import.meta.dirname, 'companion-process.ts'), [], {
      env,
      execArgv: [],
      stdio: ['ignore', 'inherit', 'ignore', 'ipc'],
    });
    this.#child.unref();
    this.#child.channel?.unref();
  }

  get gone(): boolean {
    return !this.#child.connected;
  }

  run(args: readonly string[], cwd: string, env: Readonly<Record<string, string>>): Promise<Said> {
    const said = this.#last.then(() => this.#ask({ args, cwd, env }));
    this.#last = said.catch(() => undefined);
    return said;
  }

  #ask(command: object): Promise<Said> {
    const { promise, resolve, reject } = Promise.withResolvers<Said>();
    const answered = (message: unknown) => resolve(saidSchema.parse(message));
    const ended = () => reject(new Error(`the companion process ended in ${JSON.stringify(command)}`));
    this.#child.once('message', answered).once('exit', ended);
    this.#child.send(command);
    return promise.finally(() => this.#child.off('message', answered).off('exit', ended));
  }
}

let companion: Companion | undefined;

/** Runs a command in the companion; undefined for a command that has to have a process of its own. */
export function besideTest(
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<Said> | undefined {
  if (!COMMANDS.has(args[0] ?? '')) return undefined;
  if (companion === undefined || companion.gone) companion = new Companion();
  return companion.run(args, cwd, env);
}
