/** Loaded into every thread of a process: the threads that scan end after a moment, as if they had been killed. */
import { isMainThread, workerData } from 'node:worker_threads';

if (!isMainThread && workerData?.workspace !== undefined) setTimeout(() => process.exit(9), 100);
