/** Entry of a thread that reads one store, in the folder that `workerData` names: it answers each call over its port. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { FatalError } from '../../errors.ts';
import type { Store } from '../../graph/store.ts';
import { packError } from '../wire-error.ts';
import { packRun } from './packed.ts';
import { openRocksdb } from './store.ts';
import { type Answer, type Call, RUNS_AHEAD } from './wire.ts';

const port = parentPort;
if (port === null) {
  throw new FatalError('reading-thread', 'worker.ts is the entry of a thread; use openRocksdbReader');
}
const opening: Promise<Store> = openRocksdb(String(workerData), { readOnly: true });
// Told to whoever calls.
opening.catch(() => undefined);

port.on('message', (call: Call) => {
  void answer(call).finally(() => call.port.close());
});

async function answer(call: Call): Promise<void> {
  const say = (said: Answer) => call.port.postMessage(said);
  try {
    const store = await opening;
    switch (call.method) {
      case 'open':
        return say({ kind: 'done' });
      case 'getMany':
        return say({ kind: 'values', values: await store.getMany(call.keys) });
      case 'runs':
        await sendRuns(store, call.prefix, call.port);
        return say({ kind: 'done' });
      case 'close':
        await store.close();
        return say({ kind: 'done' });
    }
  } catch (error) {
    say({ kind: 'failed', error: packError(error, 'store-read', 'the store could not be read') });
  }
}

/** As many ahead as may be, until all are sent or the other side is gone. */
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
