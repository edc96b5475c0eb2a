import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { NO_TEST } from './test/kafka/without-broker.ts';
import { ClosingLine } from './test/reporter.ts';

const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  throw new Error(`twhin-stream needs Node 24; this is ${process.version}. Run the tests with: npm test`);
}

/** Files at once: more than there are cores, because many tests wait for brokers, sessions and other processes. */
const WORKERS = Math.max(5, availableParallelism());

/** Tests that look at the threads or the memory of their process, or replace a module of Node: they have a process to themselves. */
const WHOLE_PROCESS = [
  'test/adapters/backoff.test.ts',
  'test/adapters/trainer/hogwild/stepper.test.ts',
  'test/adapters/event-file/event-file.test.ts',
  'test/compose/wide.test.ts',
  'test/adapters/event-file/feeder.test.ts',
];

const WITH_BROKER = ['test/kafka/**/*.test.ts', 'test/e2e/**/*.test.ts'];

/** Runs every bench, which changes of the sources seldom break and takes a minute: with CI=true and in the long form. */
const BENCHES = 'test/bench/smoke.test.ts';

/** Whole commands and browsers that need no broker. */
const WITHOUT_BROKER = ['closed-pipe', 'dashboard-page', 'demo', 'package', 'serving-page'].map(
  (name) => `test/e2e/${name}.test.ts`,
);

/** The faults of `npm test`, each of another kind. With CI=true and in the long form, all of test/faults is run. */
const FIRST_FAULTS = ['bad-records', 'interleaved', 'killed', 'shards', 'store-damaged', 'zombie'].map(
  (name) => `test/faults/${name}.test.ts`,
);

/** A state that is waited for comes in a moment, but not on a busy machine. */
const PATIENT = { poll: { timeout: 60_000 } };
const UNIT = { testTimeout: 300_000, hookTimeout: 300_000, maxWorkers: WORKERS, expect: PATIENT };
/** kafkajs waits for a moment that is over, which Node 24 warns of each time. */
const QUIET = ['--disable-warning=TimeoutNegativeWarning'];
const WHOLE = {
  pool: 'forks',
  testTimeout: 600_000,
  hookTimeout: 300_000,
  expect: PATIENT,
  execArgv: QUIET,
} as const;

/** V8 packs vectors where Node was built so: in code of the compiler that optimises, and with `--no-liftoff` there is no other. */
const PACKS = Object.entries(process.config.variables).some(
  ([name, value]) => name === 'v8_enable_wasm_simd256_revec' && value === 1,
);
const PACKED = ['--experimental-wasm-revectorize'];

// Where `isolate` is false, files share processes one after the other: most would take less time than the start of a process.
// `npm test` runs the first form of the faults, with CI=true the short one; `npm run faults` runs the long form.
export default defineConfig(({ mode }) => {
  const form = mode === 'long' || mode === 'short' ? mode : process.env['CI'] === 'true' ? 'short' : 'first';
  return {
    test: {
      reporters: ['default', new ClosingLine()],
      projects: [
        {
          test: {
            name: 'unit',
            include: ['test/**/*.test.ts'],
            // Tests below folders of test/faults are of the suite's own parts, and need no broker.
            exclude: [...WITH_BROKER, BENCHES, 'test/faults/*.test.ts', ...WHOLE_PROCESS],
            isolate: false,
            ...UNIT,
          },
        },
        { test: { name: 'process', include: WHOLE_PROCESS, ...UNIT } },
        ...(PACKS ? [PACKED, [...PACKED, '--no-liftoff']] : []).map((execArgv) => ({
          test: {
            name: execArgv.length > 1 ? 'packed at once' : 'packed',
            include: ['test/kernels/{agreement,wasm,wide}.test.ts'],
            isolate: false,
            ...UNIT,
            execArgv,
          },
        })),
        {
          test: { name: 'command', include: WITHOUT_BROKER, isolate: false, maxWorkers: WORKERS, ...WHOLE },
        },
        {
          test: {
            name: 'kafka',
            env: { FAULTS: form },
            include: [
              ...(form === 'first' ? FIRST_FAULTS : [BENCHES, 'test/faults/*.test.ts']),
              ...WITH_BROKER,
            ],
            exclude: WITHOUT_BROKER,
            globalSetup: ['test/kafka/broker.ts'],
            isolate: false,
            // The long form one file at a time: it measures how long everything stands still.
            maxWorkers: form === 'long' ? 1 : WORKERS,
            sequence: { groupOrder: form === 'long' ? 1 : 0 },
            tags: [{ name: NO_TEST }],
            ...WHOLE,
          },
        },
      ],
    },
  };
});
