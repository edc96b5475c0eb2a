import { FatalError } from '../errors/errors.ts';
import { type ShardLink, ShardMissed, ShardRefused } from './shard-link.ts';
import type { ShardAnswers, ShardQuestion, ShardQuestions } from './shard-questions.ts';
import type { Reply } from './shard-replies.ts';

/** How long to wait before a shard that is busy is asked again, minus up to half at random, ms. A shard's round of work takes 50 ms. */
export const RETRY_MS = 60;

/** How the questions of a request are asked, and who hears of the answers. */
export interface Asker {
  clock(): number;
  /** Waits until a shard that was busy is asked again. */
  pause(): Promise<void>;
  heard(link: ShardLink, error: ShardMissed | undefined): void;
  isAway(link: ShardLink): boolean;
  /** What is thrown where nobody answers. */
  away(): FatalError;
}

/** The questions of one request, all of which have to be answered by its end. */
export class Turn {
  /** The first refusal. */
  refused: ShardRefused | undefined;
  /** Whether a shard that is there had no time for a question, and whether that was so for a while. */
  isCrowded = false;
  wasCrowded = false;
  readonly #asker: Asker;
  readonly #end: number;

  constructor(asker: Asker, end: number) {
    this.#asker = asker;
    this.#end = end;
  }

  /** What is thrown where no shard has an answer of use. */
  away(): FatalError {
    return this.isCrowded ? busyShards() : this.#asker.away();
  }

  /** The answers that come in time. share: of the time that is left. */
  async all<Q extends ShardQuestion>(
    asked: readonly { readonly link: ShardLink }[],
    name: Q,
    question: ShardQuestions[Q],
    share = 1,
  ): Promise<Reply<ShardAnswers[Q]>[]> {
    const now = this.#asker.clock();
    const end = now + (this.#end - now) * share;
    if (end <= now) {
      this.isCrowded = true;
      return [];
    }
    const replies = asked.map(async ({ link }): Promise<Reply<ShardAnswers[Q]>[]> => {
      try {
        const answer = await this.#ask(link, name, question, end);
        this.#asker.heard(link, undefined);
        return [{ link, answer }];
      } catch (error) {
        if (error instanceof ShardRefused && name.startsWith('begin-')) {
          this.refused ??= error;
          this.#asker.heard(link, undefined);
        } else this.#miss(link, missOf(error));
        return [];
      }
    });
    return (await Promise.all(replies)).flat();
  }

  /** A shard that is busy is asked once more, if there is time. */
  async #ask<Q extends ShardQuestion>(
    link: ShardLink,
    name: Q,
    question: ShardQuestions[Q],
    end: number,
  ): Promise<ShardAnswers[Q]> {
    const { clock, pause, heard } = this.#asker;
    try {
      return await link.ask(name, question, end - clock());
    } catch (error) {
      const isOver = end - clock() <= RETRY_MS;
      if (!(error instanceof ShardMissed) || !isBusy(error) || isOver) throw error;
      this.wasCrowded = true;
      heard(link, error);
      await pause();
      return link.ask(name, question, Math.max(1, end - clock()));
    }
  }

  /** One that is late is there, unless it is known to be away. */
  #miss(link: ShardLink, error: ShardMissed): void {
    if (isBusy(error) || (error.reason === 'late' && !this.#asker.isAway(link))) {
      this.isCrowded = true;
      this.wasCrowded = true;
    }
    this.#asker.heard(link, error);
  }
}

/** Later questions are our own: a shard that refuses one is of another version, or remembers fewer edges. @throws any other error. */
function missOf(error: unknown): ShardMissed {
  if (error instanceof ShardMissed) return error;
  if (error instanceof ShardRefused) return new ShardMissed('broken', error.message, { cause: error });
  throw error;
}

export function busyShards(): FatalError {
  return new FatalError('busy', 'shards have too many requests that wait; ask again in a second');
}

export function isBusy(error: unknown): boolean {
  return error instanceof ShardMissed && error.reason === 'busy';
}
