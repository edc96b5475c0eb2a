import { appendFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { Reporter, TestModule, TestRunEndReason, TestSuite } from 'vitest/node';

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/**
 * Ends a test run with `N passed, N failed` (`, N skipped` when there are some), alone on the last line of stdout.
 * What keeps tests from running (a broken import, a failed hook or set-up, an error outside any test) counts as one
 * failed each, so that no run looks better than its exit code. Where the variable CLOSING_LINES names a file, the line is
 * appended to the file instead, after a line for each thing that failed: `.ci/run` makes several runs, and ends with what
 * failed in any and one line for all. Tests of a project that can't run here are skipped, and with `CI=true` failed; a
 * sentence before the line says why.
 */
export class ClosingLine implements Reporter {
  #counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  #notRun = new Set<string>();
  #failures: string[] = [];

  onInit(): void {
    // Not when the run ends: other reporters and the teardown of the set-ups still write after that.
    process.once('exit', (code) => {
      const counts = this.#counts;
      if (code !== 0 && counts.failed === 0) counts.failed = 1;
      if (counts.failed > 0) process.exitCode = Number(code) || 1;
      for (const why of this.#notRun) process.stdout.write(`${why}\n`);
      const line = `${closingLine(counts)}\n`;
      const file = process.env['CLOSING_LINES'];
      if (file === undefined) process.stdout.write(line);
      else appendFileSync(file, this.#failures.join('') + line);
    });
  }

  onTestRunEnd(
    modules: readonly TestModule[],
    unhandledErrors: readonly unknown[],
    reason: TestRunEndReason,
  ): void {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    if (reason === 'interrupted') counts.failed++;
    for (const module of modules) {
      add(module, counts);
      const why = notRun(module);
      if (why !== undefined) this.#notRun.add(why);
    }
    this.#counts = counts;
    this.#failures = [
      ...unhandledErrors.map((error) => failure('outside any test', [error])),
      ...modules.flatMap(failures),
      ...(inCi() ? [...this.#notRun].map((why) => `failed: ${why}\n`) : []),
    ];
  }
}

function add(module: TestModule, counts: Counts): void {
  const skipped = notRun(module) !== undefined && inCi() ? 'failed' : 'skipped';
  for (const test of module.children.allTests()) {
    const { state } = test.result();
    if (state === 'passed') counts.passed++;
    else if (state === 'skipped') counts[skipped]++;
    // Pending: never ended, because its process died.
    else counts.failed++;
  }
  for (const suite of [module, ...module.children.allSuites()]) if (brokenItself(suite)) counts.failed++;
}

/** In CI nothing is left out because a tool is missing. */
function inCi(): boolean {
  return process.env['CI'] === 'true';
}

/** Why no test of the file's project runs. */
function notRun(module: TestModule): string | undefined {
  return module.project.getProvidedContext().notRun;
}

/** What failed in a file, a line each. */
function failures(module: TestModule): string[] {
  const file = relative(process.cwd(), module.moduleId);
  const broken = [module, ...module.children.allSuites()]
    .filter(brokenItself)
    .map((suite) => failure(suite.type === 'module' ? file : `${file} > ${suite.fullName}`, suite.errors()));
  const tests = [...module.children.allTests()].flatMap((test) => {
    const { state, errors } = test.result();
    if (state === 'passed' || state === 'skipped') return [];
    return [failure(`${file} > ${test.fullName}`, errors ?? [], state)];
  });
  return [...broken, ...tests];
}

function failure(where: string, errors: readonly unknown[], state = 'failed'): string {
  const messages = errors.map((error) =>
    String((error as { message?: unknown } | undefined)?.message ?? error),
  );
  const why = messages.join('; ').replaceAll(/\s+/g, ' ').slice(0, 500);
  return `${state === 'pending' ? 'not ended' : 'failed'}: ${where}: ${why}\n`;
}

/** Whether a file or a suite failed apart from its tests: it did not load, or a hook of it threw. */
function brokenItself(suite: TestModule | TestSuite): boolean {
  return suite.errors().length > 0;
}

function closingLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
