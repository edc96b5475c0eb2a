/** Entry of a thread that opens the store named in `workerData` and answers the calls to it. */
import { workerData } from 'node:worker_threads';
import { type Entry, type Store, WriteBatch } from '../../graph/store.ts';
import { answerCalls } from '../threads.ts';
import { openInFolder } from './store.ts';
import { type Opening, type PackedList, packList, packRun, type StoreMethods, unpackList } from './wire.ts';

const NO_KEY = new Uint8Array();
const { folder, options }: Opening = workerData;
const opening: Promise<Store> = openInFolder(folder, options);
// Each call awaits the promise and answers with its error; without this line Node.js ends the process first.
opening.catch(() => undefined);

/** Scans that have a further run, by id. */
const scans = new Map<number, AsyncIterator<readonly Entry[]>>();

async function next(id: number): Promise<PackedList | undefined> {
  const step = await scans.get(id)?.next();
  if (step?.done === false) return packRun(step.value);
  scans.delete(id);
  return undefined;
}

answerCalls<StoreMethods>('the thread of the store failed', {
  open: async () => void (await opening),
  getMany: async (keys) =>
    packList(await (await opening).getMany(unpackList(keys).map((key) => key ?? NO_KEY))),
  runs: async ({ id, prefix }) => {
    scans.set(id, (await opening).runs(prefix)[Symbol.asyncIterator]());
    return next(id);
  },
  next,
  leave: async (id) => {
    await scans.get(id)?.return?.();
    scans.delete(id);
  },
  write: async (batch) => (await opening).write(WriteBatch.unpacked(batch)),
  memory: async () => (await opening).memory?.(),
  close: async () => {
    // The binding waits for scans that nobody ended.
    await Promise.all(Array.from(scans.values(), (scan) => scan.return?.()));
    await (await opening).close();
  },
});
