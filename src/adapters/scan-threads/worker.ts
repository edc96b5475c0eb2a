/** Entry of a thread that scans tables which another thread writes: answers questions in order. */
import { workerData } from 'node:worker_threads';
import { FatalError } from '../../errors/errors.ts';
import { type ScanPlace, ScanRows } from '../../kernels/scan/rows.ts';
import { Scanner } from '../../kernels/scan/scanner.ts';
import type { ScorerName } from '../../model/settings.ts';
import { answerCalls } from '../threads.ts';
import { packList, type ScanMethods, type Starting } from './wire.ts';

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

answerCalls<ScanMethods>('a scan failed', {
  table: ({ table, place }) => void tables.set(table, new Scanners(place)),
  forget: (table) => void tables.delete(table),
  top: ({ table, scorer, queries, depth, range }) => {
    const scanner = tables.get(table)?.of(scorer);
    if (scanner === undefined) throw new FatalError('thread', `table ${table} is not known`);
    return scanner.top(queries, depth, range).map(packList);
  },
});
