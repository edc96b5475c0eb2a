import type { HeldRows, Trainer } from '../../pipeline/training/trainer.ts';

type Alike = Omit<Trainer, 'readRows' | 'stop'>;

/** The calls that the trainer's thread answers: the methods of a trainer, with one argument each. */
export type TrainerMethods = {
  [N in keyof Alike]: (argument: Parameters<Alike[N]>[0]) => Awaited<ReturnType<Alike[N]>>;
} & {
  readRows(rows: { readonly first: number; readonly count: number }): HeldRows;
};
