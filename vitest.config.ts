import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { ClosingLine } from './test/reporter.ts';

const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  throw new Error(`twhin-stream needs Node 24; this is ${process.version}. Run the tests with: npm test`);
}

/** Files at once: more than two cores, for many tests wait for brokers and for other processes. */
const WORKERS = Math.max(3, availableParallelism());

// `npm test` runs the first form of the faults, `npm run test:faults` the short one, `npm run faults` the long one.
export default defineConfig(({ mode }) => {
  const faults = mode === 'short' || mode === 'long' ? mode : 'first';
  return {
    test: {
      reporters: ['default', new ClosingLine()],
      projects: [
        {
          test: {
            name: 'unit',
            include: ['test/**/*.test.ts'],
            // Tests below folders of test/faults are of the suite's own parts, and need no broker.
            exclude: ['test/kafka/**', 'test/e2e/**', 'test/faults/*.test.ts'],
            // A state is waited for however busy the machine is.
            expect: { poll: { timeout: 60_000 } },
            testTimeout: 120_000,
            hookTimeout: 120_000,
            maxWorkers: WORKERS,
          },
        },
        {
          test: {
            name: 'kafka',
            include: ['test/kafka/**/*.test.ts', 'test/e2e/**/*.test.ts'],
            globalSetup: ['test/kafka/broker.ts'],
            pool: 'forks',
            testTimeout: 600_000,
            hookTimeout: 300_000,
            maxWorkers: WORKERS,
          },
        },
        {
          test: {
            name: 'faults',
            env: { FAULTS: faults },
            include: ['test/faults/*.test.ts'],
            globalSetup: ['test/faults/brokers.ts'],
            pool: 'forks',
            testTimeout: 600_000,
            hookTimeout: 300_000,
            // But for the first form one file at a time: what is frozen, starved or measured is so by its test alone.
            maxWorkers: faults === 'first' ? WORKERS : 1,
            sequence: { groupOrder: faults === 'first' ? 0 : 1 },
          },
        },
      ],
    },
  };
});
