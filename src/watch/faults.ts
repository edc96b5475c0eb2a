import type { Log } from '../log.ts';

const REMEMBERED = 30;
const LONGEST = 300;

export interface Fault {
  /** Epoch ms. */
  readonly at: number;
  readonly level: 'warn' | 'error';
  readonly text: string;
  readonly times: number;
}

/** A log that keeps the newest warnings and errors for the dashboard. */
export function rememberingFaults(log: Log): { log: Log; faults: readonly Fault[] } {
  const faults: Fault[] = [];
  const remember = (level: Fault['level'], fields: object, message: string) => {
    const { graph, reason, reasons } = { graph: '', reason: '', reasons: '', ...fields };
    const parts = [String(graph), message, String(reason), String(reasons)].filter((part) => part !== '');
    const text = parts.join(': ').slice(0, LONGEST);
    // A repeated fault is one entry with the newest time and text.
    const same = faults.findIndex((fault) => alike(fault.text) === alike(text));
    const [before] = same === -1 ? [] : faults.splice(same, 1);
    faults.push({ at: Date.now(), level, text, times: (before?.times ?? 0) + 1 });
    if (faults.length > REMEMBERED) faults.shift();
  };
  return {
    faults,
    log: {
      debug: (fields, message) => log.debug(fields, message),
      info: (fields, message) => log.info(fields, message),
      warn: (fields, message) => {
        remember('warn', fields, message);
        log.warn(fields, message);
      },
      error: (fields, message) => {
        remember('error', fields, message);
        log.error(fields, message);
      },
    },
  };
}

/** The text without the numbers, which differ between repetitions of a fault. */
function alike(text: string): string {
  return text.replaceAll(/\d+/g, '#');
}
