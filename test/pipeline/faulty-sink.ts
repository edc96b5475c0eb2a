import { FatalError, RetryableError } from '../../src/errors/errors.ts';
import type { Log } from '../../src/log.ts';
import type { Message, Sink } from '../../src/pipeline/ports.ts';
import { keptOf } from './memory-log.ts';

/** A sink whose every publish waits for the test's word: acknowledged, to be tried again, or refused for good. */
export class FaultySink implements Sink {
  readonly acknowledged: Message[] = [];
  /** Publishes that wait, oldest first. */
  readonly waiting: { messages: readonly Message[]; answer: PromiseWithResolvers<void> }[] = [];
  attempts = 0;
  #arrived = Promise.withResolvers<void>();

  async publish(messages: readonly Message[]): Promise<void> {
    this.attempts++;
    const answer = Promise.withResolvers<void>();
    this.waiting.push({ messages, answer });
    this.#arrived.resolve();
    await answer.promise;
    this.acknowledged.push(...messages.map(keptOf));
  }

  /** The keys of the next publish, once there is one. */
  async next(): Promise<string[]> {
    while (this.waiting.length === 0) {
      await this.#arrived.promise;
      this.#arrived = Promise.withResolvers<void>();
    }
    return this.waiting[0]?.messages.map(({ key }) => String(key)) ?? [];
  }

  async acknowledge(): Promise<void> {
    await this.next();
    this.waiting.shift()?.answer.resolve();
  }

  async outOfReach(): Promise<void> {
    await this.fail(new RetryableError('not-acknowledged', 'no broker answers'));
  }

  async refuse(): Promise<void> {
    await this.fail(new FatalError('not-authorized', 'the topic refused it'));
  }

  async fail(error: Error): Promise<void> {
    await this.next();
    this.waiting.shift()?.answer.reject(error);
  }

  async takeOver(): Promise<void> {}

  async stop(): Promise<void> {}
}

/** Keeps its lines. */
export function keptLog(): Log & { readonly lines: { fields: object; message: string }[] } {
  const lines: { fields: object; message: string }[] = [];
  const keep = (fields: object, message: string) => void lines.push({ fields, message });
  return { lines, debug: keep, info: keep, warn: keep, error: keep };
}
