import type { TrainingWatch } from '../../compose/replay.ts';
import type { Log } from '../../log.ts';
import { count, duration } from '../format.ts';
import type { Output } from '../output.ts';

const LOG_MS = 10_000;

/** Says how far a replay is: on a terminal each time it is told, in the log every ten seconds. */
export function replayTeller(
  fields: object,
  { log, output }: { log: Log; output: Output },
): TrainingWatch['tell'] {
  let logged = performance.now();
  return ({ phase, done, of, perSecond }) => {
    const leftMs = perSecond > 0 ? (1_000 * (of - done)) / perSecond : 0;
    const toGo = leftMs > 0 ? `, ${duration(leftMs)} to go` : '';
    output.status(`${phase}: ${count(done)} of ${count(of)} records, ${count(perSecond)}/s${toGo}`);
    if (performance.now() - logged < LOG_MS) return;
    logged = performance.now();
    const pace = { perSecond: Math.round(perSecond), leftS: Math.round(leftMs / 1_000) };
    log.info({ ...fields, phase, done, of, ...pace }, 'replaying');
  };
}
