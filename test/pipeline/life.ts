import { setImmediate } from 'node:timers/promises';
import type { Trainer } from '../../src/pipeline/training/trainer.ts';
import type { Random } from '../../src/sampling/random.ts';
import { portWith } from '../fixtures/port.ts';
import type { MemoryStore } from '../graph/memory-store.ts';

/** How a process ends before its time: at so many moments, of which each call of a port has one before and one after it. */
export interface End {
  /** Killed, or stopped until `thaw`. */
  readonly how: 'dies' | 'freezes';
  readonly at: number;
}

/** One process, as its ports see it: up to its end they work, from then on nothing it asks of them has an effect. */
export class Life {
  readonly #end: End | undefined;
  #moments = 0;
  #frozen: PromiseWithResolvers<void> | undefined;
  readonly #reached = Promise.withResolvers<void>();

  constructor(end?: End) {
    this.#end = end;
  }

  /** Resolves when it freezes; never, when it does not. */
  get froze(): Promise<void> {
    return this.#reached.promise;
  }

  thaw(): void {
    this.#frozen?.resolve();
  }

  /** Waits while it is frozen. @throws Error `killed` from its death on. */
  async moment(): Promise<void> {
    const moment = this.#moments++;
    if (this.#end === undefined || moment < this.#end.at) return;
    if (this.#end.how === 'dies') throw new Error('killed');
    if (moment === this.#end.at) {
      this.#frozen = Promise.withResolvers();
      this.#reached.resolve();
    }
    await this.#frozen?.promise;
  }

  /** A call of a port. */
  async call<T>(effect: () => Promise<T>): Promise<T> {
    await this.moment();
    const result = await effect();
    await this.moment();
    return result;
  }

  /** The trainer as this process has it: it works on one call after the other, some of them for long. */
  trainer(trainer: Trainer, random: Random): Trainer {
    let before: Promise<unknown> = Promise.resolve();
    const inTurn = <T>(effect: () => Promise<T>): Promise<T> => {
      const answer = before.then(async () => {
        for (let turns = 4 ** random.below(4); turns > 1; turns--) await setImmediate();
        return this.call(effect);
      });
      before = answer.catch(() => undefined);
      return answer;
    };
    return portWith(trainer, {
      train: (batch) => inTurn(() => trainer.train(batch)),
      due: (options) => inTurn(() => trainer.due(options)),
      state: () => inTurn(() => trainer.state()),
      gave: (due) => inTurn(() => trainer.gave(due)),
      republish: (again) => inTurn(() => trainer.republish(again)),
      vectors: (rows) => inTurn(() => trainer.vectors(rows)),
      snapshot: () => inTurn(() => trainer.snapshot()),
      slice: (spent) => inTurn(() => trainer.slice(spent)),
    });
  }

  /** The store as this process has it. */
  store(store: MemoryStore): MemoryStore {
    const { checkpoints } = store;
    return portWith(store, {
      write: (batch) => this.call(() => store.write(batch)),
      checkpointsOf: () =>
        portWith(checkpoints, {
          write: (...given) => this.call(() => checkpoints.write(...given)),
          dropBefore: (commit) => this.call(() => checkpoints.dropBefore(commit)),
        }),
    });
  }
}
