import { createRequire } from 'node:module';
import { isKnownRelease } from './known-release.ts';

interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}

let applied = false;

/**
 * Stops kafkajs from re-arming a timer with a negative delay while its request queue is empty, which costs an idle
 * connection about 25 ms of CPU a second and thousands of warnings. Says whether the guard is in place.
 * Source: kafkajs issues 1704 and 1751; `src/network/requestQueue/index.js`, where the check below is missing.
 */
export function guardRequestQueue(): boolean {
  if (applied) {
    return true;
  }
  if (!isKnownRelease()) {
    return false;
  }
  const require = createRequire(import.meta.url);
  const { prototype }: { prototype: RequestQueue } = require('kafkajs/src/network/requestQueue/index.js');
  const schedule = prototype.scheduleCheckPendingRequests;
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
    if (this.pending.length > 0) {
      schedule.call(this);
    }
  };
  applied = true;
  return true;
}
