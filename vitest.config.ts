import { defineConfig } from 'vitest/config';
import { ClosingLine } from './test/reporter.ts';

const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  throw new Error(`twhin-stream needs Node 24; this is ${process.version}. Run the tests with: npm test`);
}

export default defineConfig(({ mode }) => ({
  test: {
    reporters: ['default', new ClosingLine()],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          // Tests below folders of test/faults are of the suite's own parts, and need no broker.
          exclude: ['test/kafka/**', 'test/e2e/**', 'test/faults/*.test.ts'],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'kafka',
          include: ['test/kafka/**/*.test.ts', 'test/e2e/**/*.test.ts'],
          globalSetup: ['test/kafka/broker.ts'],
          pool: 'forks',
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: 'faults',
          // `npm run faults` asks for the long form.
          env: mode === 'long' ? { FAULTS: 'long' } : {},
          include: ['test/faults/*.test.ts'],
          globalSetup: ['test/faults/brokers.ts'],
          pool: 'forks',
          fileParallelism: false,
          // Not beside the others: what is frozen or starved here is to be so by the test alone.
          sequence: { groupOrder: 1 },
          testTimeout: 600_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
}));
