import { expect, test } from 'vitest';
import { Alone } from '../../../src/pipeline/neighbours.ts';
import { TrainingSummary } from '../../../src/pipeline/training/summary.ts';
import { TrainingLine } from '../../../src/pipeline/training/training-line.ts';
import { StandInTrainer } from './stand-in-trainer.ts';

const START = 1_700_000_000_000;

test.each([50, Number.POSITIVE_INFINITY])(
  'with a linger of %f ms a batch is due by its age, also where the clock was set back',
  (lingerMs) => {
    let now = START;
    const line = new TrainingLine({
      trainer: new StandInTrainer(),
      summary: new TrainingSummary([]),
      measures: {},
      neighbours: new Alone(),
      tuning: { lingerMs },
      clock: () => now,
      failed: (error) => {
        throw error;
      },
    });
    const dueAfter = (ms: number) => {
      now = START + ms;
      return line.dueInMs;
    };
    expect(dueAfter(0)).toBe(Number.POSITIVE_INFINITY);
    line.open.begin(START, START);
    const byAge = [0, 30, 60, -3_600_000].map(dueAfter);
    expect(byAge).toEqual(lingerMs === 50 ? [50, 20, 0, 0] : byAge.map(() => lingerMs));
  },
);
