import type { HeldRows, Trainer } from '../../pipeline/training/trainer.ts';

type Alike = Omit<Trainer, 'readRows' | 'stop'>;

/** What the trainer's thread answers: the calls of a trainer, with one argument each. */
export type TrainerMethods = {
  [N in keyof Alike]: (argument: Parameters<Alike[N]>[0]) => Awaited<ReturnType<Alike[N]>>;
} & {
  readRows(rows: { readonly first: number; readonly count: number }): HeldRows;
};
