import type { TestProject } from 'vitest/node';
import { TwhinError } from '../../src/errors/errors.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Why no test of the project runs, and what to do; absent when they run. */
    notRun?: string;
  }
}

/** A tag that no test has: a project that filters by the tag skips all its tests, and counts them. */
export const NO_TEST = 'no-test';

const NOT_RUN =
  'Tests that need a Kafka broker did not run: install Java 17 and Maven to run all of them, or start Docker or set KAFKA_BROKERS to run most.';

/** The brokers that `start` gives. Where none can be had, the project's tests are skipped, and the result is undefined. */
export async function brokersOrSkip<T>(
  project: TestProject,
  start: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await start();
  } catch (error) {
    if (!(error instanceof TwhinError) || error.code !== 'no-broker') throw error;
    process.stderr.write(`${error.message}\n`);
    project.config.tagsFilter = [NO_TEST];
    project.provide('notRun', NOT_RUN);
    return undefined;
  }
}
