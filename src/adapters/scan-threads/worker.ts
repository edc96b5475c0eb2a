/** Entry of a thread that scans tables which another thread writes: answers questions in order. */
import { parentPort, workerData } from 'node:worker_threads';
import { FatalError } from '../../errors/errors.ts';
import { type ScanPlace, ScanRows } from '../../kernels/scan/rows.ts';
import { Scanner } from '../../kernels/scan/scanner.ts';
import type { ScorerName } from '../../model/settings.ts';
import { failed } from '../threads.ts';
import { type Call, packList, type Question, type Reply, type Starting } from './wire.ts';

const port = parentPort;
if (port === null) {
  throw new FatalError('scanner-thread', 'worker.ts is the entry of a thread; use ScanThreads');
}

const { build, workspace }: Starting = workerData;

/** The vectors of a table, and a scanner for each scorer that was asked for. */
class Scanners {
  readonly #rows: ScanRows;
  readonly #byScorer = new Map<ScorerName, Scanner>();

  constructor(place: ScanPlace) {
    this.#rows = new ScanRows(place);
  }

  of(scorer: ScorerName): Scanner {
    const scanner = this.#byScorer.get(scorer) ?? new Scanner(this.#rows, scorer, build, workspace);
    this.#byScorer.set(scorer, scanner);
    return scanner;
  }
}

const tables = new Map<number, Scanners>();

port.on('message', (call: Call) => {
  if (call.kind === 'table') tables.set(call.table, new Scanners(call.place));
  else if (call.kind === 'forget') tables.delete(call.table);
  else port.postMessage(answer(call));
});

function answer(call: Question): Reply {
  try {
    const scanner = tables.get(call.table)?.of(call.scorer);
    if (scanner === undefined) throw new FatalError('scanner-failed', `table ${call.table} is not known`);
    return { kind: 'top', lists: scanner.top(call.queries, call.depth, call.range).map(packList) };
  } catch (error) {
    return failed(error, 'scanner-failed', 'a scan failed');
  }
}
