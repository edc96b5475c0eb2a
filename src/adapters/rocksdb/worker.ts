/** Entry of a thread that opens the store named in `workerData` and answers each call over the call's port. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { FatalError } from '../../errors/errors.ts';
import { type Store, WriteBatch } from '../../graph/store.ts';
import { failed } from '../threads.ts';
import { openInFolder } from './store.ts';
import { type Answer, type Call, type Opening, packList, packRun, RUNS_AHEAD, unpackList } from './wire.ts';

const port = parentPort;
if (port === null) {
  throw new FatalError('store-thread', 'worker.ts is the entry of a thread; use openRocksdbThread');
}
const NO_KEY = new Uint8Array();
const { folder, options }: Opening = workerData;
const opening: Promise<Store> = openInFolder(folder, options);
// Each call awaits the promise and answers with its error; without this line Node.js ends the process first.
opening.catch(() => undefined);

port.on('message', (call: Call) => {
  void answer(call).finally(() => call.port.close());
});

async function answer(call: Call): Promise<void> {
  const say = (said: Answer, transferred: ArrayBuffer[] = []) => call.port.postMessage(said, transferred);
  try {
    const store = await opening;
    switch (call.method) {
      case 'open':
        return say({ kind: 'done' });
      case 'getMany': {
        const values = packList(await store.getMany(unpackList(call.keys).map((key) => key ?? NO_KEY)));
        return say({ kind: 'values', values }, [values.bytes.buffer, values.lengths.buffer]);
      }
      case 'runs':
        await sendRuns(store, call.prefix, call.port);
        return say({ kind: 'done' });
      case 'write':
        await store.write(WriteBatch.unpacked(call.batch));
        return say({ kind: 'done' });
      case 'memory':
        return say({ kind: 'memory', memory: await store.memory?.() });
      case 'close':
        await store.close();
        return say({ kind: 'done' });
    }
  } catch (error) {
    say(failed(error, 'store-thread', 'the thread of the store failed'));
  }
}

/** Sends every run of the prefix, `RUNS_AHEAD` of them ahead of the caller. Ends early once the caller closes the port. */
async function sendRuns(store: Store, prefix: Uint8Array, to: MessagePort): Promise<void> {
  let ahead = 0;
  let gone = false;
  let wake = Promise.withResolvers<void>();
  to.on('message', () => {
    ahead--;
    wake.resolve();
  });
  to.on('close', () => {
    gone = true;
    wake.resolve();
  });
  for await (const entries of store.runs(prefix)) {
    const run = packRun(entries);
    const said: Answer = { kind: 'run', run };
    to.postMessage(said, [run.bytes.buffer, run.ends.buffer]);
    ahead++;
    while (ahead >= RUNS_AHEAD && !gone) {
      wake = Promise.withResolvers();
      await wake.promise;
    }
    if (gone) return;
  }
}
