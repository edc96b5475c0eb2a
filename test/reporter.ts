import type { Reporter, TestModule, TestRunEndReason } from 'vitest/node';

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/**
 * Ends a test run with `N passed, N failed` (`, N skipped` when there are some), alone on the last line of stdout.
 * What keeps tests from running (a broken import, a failed hook or set-up, an error outside any test) counts as one
 * failed each, so that no run looks better than its exit code. Tests of a project that can't run here are skipped, and with
 * `CI=true` failed; a sentence before the line says why.
 */
export class ClosingLine implements Reporter {
  #counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  #notRun = new Set<string>();

  onInit(): void {
    // Not when the run ends: other reporters and the teardown of the set-ups still write after that.
    process.once('exit', (code) => {
      const counts = this.#counts;
      if (code !== 0 && counts.failed === 0) counts.failed = 1;
      if (counts.failed > 0) process.exitCode = Number(code) || 1;
      for (const why of this.#notRun) process.stdout.write(`${why}\n`);
      process.stdout.write(`${closingLine(counts)}\n`);
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
  }
}

function add(module: TestModule, counts: Counts): void {
  // In CI nothing is left out because a tool is missing.
  const skipped = notRun(module) !== undefined && process.env['CI'] === 'true' ? 'failed' : 'skipped';
  for (const test of module.children.allTests()) {
    const { state } = test.result();
    if (state === 'passed') counts.passed++;
    else if (state === 'skipped') counts[skipped]++;
    // Pending: never ended, because its process died.
    else counts.failed++;
  }
  // A file or a suite that failed apart from its tests did not load, or a hook of it threw.
  for (const suite of [module, ...module.children.allSuites()])
    if (suite.errors().length > 0) counts.failed++;
}

/** Why no test of the file's project runs. */
function notRun(module: TestModule): string | undefined {
  return module.project.getProvidedContext().notRun;
}

function closingLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
