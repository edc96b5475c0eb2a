// Plain JavaScript that any Node from 18 on can run.

const LOOK_EVERY_MS = 250;

/**
 * Calls `then` once when npm's shell is gone. npm passes SIGTERM to its shell only, which dies of it and leaves the
 * program running for ever. Does nothing without npm: there, outliving the shell may be what was wanted (nohup).
 * When all of a group is signalled at once, the program hears of it both ways: see the signal's handler.
 * @param {() => void} then
 */
export function whenParentDies(then) {
  if (process.env['npm_command'] === undefined) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    then();
  }, LOOK_EVERY_MS);
  timer.unref();
}
