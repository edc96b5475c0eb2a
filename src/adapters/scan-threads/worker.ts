/** Entry of a thread that scans tables which another thread writes: answers questions in order. */
import { workerData } from 'node:worker_threads';
import { FatalError } from '../../errors/errors.ts';
import { ScanRows } from '../../kernels/scan/rows.ts';
import { Scanners } from '../../kernels/scan/scanner.ts';
import { answerCalls } from '../threads.ts';
import { packList, type ScanMethods, type Starting } from './wire.ts';

const { workspace }: Starting = workerData;

const tables = new Map<number, Scanners>();

answerCalls<ScanMethods>('a scan failed', {
  table: ({ table, place }) => void tables.set(table, new Scanners(new ScanRows(place), workspace)),
  forget: (table) => void tables.delete(table),
  top: ({ table, scorer, queries, depth, range }) => {
    const scanner = tables.get(table)?.of(scorer);
    if (scanner === undefined) throw new FatalError('thread', `table ${table} is not known`);
    return scanner.top(queries, depth, range).map(packList);
  },
});
