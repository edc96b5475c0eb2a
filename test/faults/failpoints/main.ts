// The real command line with failpoints in the ports that it reaches the outside by.
// TEST_FAILPOINTS='[{"place":"store.write","when":"after","call":3,"act":"kill"}]' node test/faults/failpoints/main.ts run

import { realWorld } from '../../../src/cli/context.ts';
import { main } from '../../../src/cli/main.ts';
import { terminal } from '../../../src/cli/output.ts';
import { readFailpoints, SESSION_MS, TELL_READS } from './plan.ts';
import { faultyWorld } from './world.ts';

const session = process.env[SESSION_MS];
process.exitCode = await main(
  process.argv.slice(2),
  terminal,
  faultyWorld(realWorld, readFailpoints(process.env), {
    sessionTimeoutMs: session === undefined ? undefined : Number(session),
    tellReads: process.env[TELL_READS] !== undefined,
  }),
);
