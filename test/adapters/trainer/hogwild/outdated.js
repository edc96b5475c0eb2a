/** A stepper's entry whose compiled kernel does not know the model's scorer. */
import { workerData } from 'node:worker_threads';

workerData.model.scorer = 'none';
await import('../../../../src/adapters/trainer/hogwild/worker.ts');
