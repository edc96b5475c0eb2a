import { isMarkedAsUntransferable, parentPort, Worker } from 'node:worker_threads';
import { type ErrorCode, isCodeOf } from '../errors/codes.ts';
import {
  BadEvent,
  FatalError,
  RetryableError,
  reasonOf,
  ShapeError,
  TwhinError,
  UsageError,
} from '../errors/errors.ts';

/** URL of a thread's entry. source: its TypeScript file; a build has a JavaScript file of the same name. */
export function threadEntry(source: URL): URL {
  return import.meta.url.endsWith('.ts') ? source : new URL(source.href.replace(/\.ts$/, '.js'));
}

/** An error on its way between threads: structured cloning does not keep the class, and the code tells the class. */
export interface WireError {
  /** undefined: a UsageError. */
  readonly code: ErrorCode | undefined;
  readonly message: string;
  readonly stack: string | undefined;
}

/** Turns an error into a message. what: names an error that is not a TwhinError. */
export function packError(error: unknown, what: string): WireError {
  const known = error instanceof TwhinError;
  return {
    code: known ? error.code : 'thread',
    message: known ? error.message : `${what}: ${reasonOf(error)}`,
    stack: error instanceof Error ? error.stack : undefined,
  };
}

/** Turns the message back into an error of the same class, code, message and stack. */
export function unpackError({ code, message, stack }: WireError): TwhinError {
  const error = make(code, message);
  if (stack !== undefined) error.stack = stack;
  return error;
}

function make(code: ErrorCode | undefined, message: string): TwhinError {
  if (code === undefined) return new UsageError(message);
  if (isCodeOf(code, 'fatal')) return new FatalError(code, message);
  if (isCodeOf(code, 'retryable')) return new RetryableError(code, message);
  if (isCodeOf(code, 'bad-event')) return new BadEvent(code, message);
  return new ShapeError(message);
}

/** The calls that a thread answers, by name: one argument each. */
type Methods<M> = { readonly [N in keyof M]: (argument: never) => unknown };

interface Waiting {
  readonly promise: Promise<unknown>;
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

export interface CallsOptions {
  readonly entry: URL;
  /** The thread's `workerData`. */
  readonly data: unknown;
  readonly name: string;
  /** The error of calls to a thread that died, with the reason as a clause. */
  dead(reason: string, cause?: unknown): FatalError;
  /** Told once of a thread that died before it was stopped. */
  died?(error: FatalError): void;
}

/** Calls to a thread whose entry is {@link answerCalls}. A call without an answer keeps the process alive; the thread alone does not. */
export class ThreadCalls<M extends Methods<M>> {
  readonly #worker: Worker;
  readonly #options: CallsOptions;
  /** Calls without an answer, by number, oldest first. */
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;
  /** Why the thread answers no more. */
  #ended: FatalError | undefined;
  /** Why it takes no more calls, though it may still answer earlier ones. */
  #closed: FatalError | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: CallsOptions) {
    this.#options = options;
    this.#worker = new Worker(options.entry, { workerData: options.data, name: options.name });
    this.#worker.unref();
    this.#worker.on('message', ({ call, answer, error }) => {
      const waiting = this.#waiting.get(call);
      this.#waiting.delete(call);
      if (this.#waiting.size === 0) this.#worker.unref();
      if (error === undefined) waiting?.resolve(answer);
      else waiting?.reject(unpackError(error));
    });
    this.#worker.on('error', (error) => this.#die(reasonOf(error), error));
    this.#worker.on('messageerror', (error) => this.#die(reasonOf(error), error));
    this.#worker.on('exit', (code) => this.#die(`it exited with code ${code}`));
  }

  /**
   * The thread's answer. moved: buffers of the argument that the caller has no more afterwards.
   * @throws the thread's error, the error of `dead` or `stop`, DataCloneError where the argument can't be sent.
   */
  async ask<N extends keyof M & string>(
    method: N,
    argument: Parameters<M[N]>[0],
    moved: ArrayBuffer[] = [],
  ): Promise<Awaited<ReturnType<M[N]>>> {
    const refused = this.#ended ?? this.#closed;
    if (refused !== undefined) throw refused;
    const answer = Promise.withResolvers<Awaited<ReturnType<M[N]>>>();
    const call = this.#calls++;
    this.#worker.postMessage({ call, method, argument }, moved);
    if (this.#waiting.size === 0) this.#worker.ref();
    this.#waiting.set(call, answer);
    return answer.promise;
  }

  /** Fails all calls that wait for an answer. */
  drop(why: FatalError): void {
    for (const { reject } of this.#waiting.values()) reject(why);
    this.#waiting.clear();
    this.#worker.unref();
  }

  /** Waits for the answers to earlier calls, then ends the thread. Idempotent. why: the error of later calls. */
  stop(why: FatalError): Promise<void> {
    this.#stopping ??= this.#stop(why);
    return this.#stopping;
  }

  async #stop(why: FatalError): Promise<void> {
    this.#closed = why;
    await Promise.allSettled([...this.#waiting.values()].map(({ promise }) => promise));
    this.#ended ??= why;
    await this.#worker.terminate();
  }

  #die(reason: string, cause?: unknown): void {
    if (this.#ended !== undefined) return;
    this.#ended = this.#options.dead(reason, cause);
    this.drop(this.#ended);
    if (this.#closed === undefined) this.#options.died?.(this.#ended);
  }
}

/** Answers the calls to this thread, beginning with each as it comes. what: names an error that is not a TwhinError. */
export function answerCalls<M extends Methods<M>>(what: string, methods: M): void {
  const port = parentPort;
  if (port === null) throw new FatalError('fault', `${what}: this is the entry of a thread`);
  const byName = Object(methods);
  port.on('message', async ({ call, method, argument }) => {
    try {
      const answer = await byName[method](argument);
      port.postMessage({ call, answer }, buffersOf(answer));
    } catch (error) {
      port.postMessage({ call, error: packError(error, what) });
    }
  });
}

/** Processor time of the calling thread so far, ms. */
export function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

/** Every buffer in a message that can move, for the transfer list: shared memory and that of small Buffers can't. */
export function buffersOf(message: unknown): ArrayBuffer[] {
  const found = new Set<ArrayBuffer>();
  const find = (value: unknown) => {
    if (ArrayBuffer.isView(value)) {
      const { buffer } = value;
      if (buffer instanceof ArrayBuffer && !isMarkedAsUntransferable(buffer)) found.add(buffer);
    } else if (typeof value === 'object' && value !== null) Object.values(value).forEach(find);
  };
  find(message);
  return [...found];
}
