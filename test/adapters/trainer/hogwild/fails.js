/** A stepper's entry whose steps leave the memory, as a wrong address would have them do. */
import { workerData } from 'node:worker_threads';

workerData.table.base = 2 ** 32 - 64;
await import('../../../../src/adapters/trainer/hogwild/worker.ts');
