import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { GraphConfig } from '../../config/resolve.ts';
import { FatalError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { databaseFolder, openForWriting } from '../../state/open.ts';
import { livePlace, readLive, type StorePlace } from '../../state/places.ts';
import { dropPromotion, requestPromotion, settlePromotion } from '../../state/promotion.ts';
import { count } from '../progress-line.ts';
import type { Surroundings } from '../surroundings.ts';
import { headOf } from './store.ts';

const LOOK_MS = 200;
/** A graceful stop of the store before, and then some. */
const SWAP_MS = 120_000;

/**
 * Has the store made live: by the process that runs the graph, or here where none does. Waits until what differs is
 * published. Gives the store that was live before, and how many vectors were published anew; undefined: nobody runs it.
 * @throws FatalError when the running process does not swap; then nothing has changed.
 */
export async function promotionMade(
  graph: GraphConfig,
  place: StorePlace,
  set: readonly string[],
  { world, output }: Surroundings,
  log: Log,
): Promise<{ previous: string; published: number | undefined }> {
  const previous = readLive(graph).live;
  await requestPromotion(graph, { store: place.name, set: [...set] });
  if (await nobodyRuns(graph, async () => void (await settlePromotion(graph)), world.openStore)) {
    return { previous, published: undefined };
  }
  log.info({ graph: graph.name, store: place.name }, 'asked the running updater to swap');
  const before = (await headOf(graph, place))?.epoch ?? 0;
  const deadline = performance.now() + SWAP_MS;
  while (readLive(graph).live !== place.name) {
    if (performance.now() > deadline) {
      await dropPromotion(graph);
      const message = `the process that runs ${graph.name} did not swap within ${SWAP_MS / 1000} s; see its log`;
      throw new FatalError('promotion', `${message}. Nothing has changed; ask again once it runs well`);
    }
    output.status(`${graph.name}: waiting for the running updater to end with ${previous}`);
    await pause(LOOK_MS);
  }
  let most = 0;
  for (;;) {
    const head = await headOf(graph, place);
    most = Math.max(most, head?.outbox ?? 0);
    if (head !== undefined && head.epoch > before && head.outbox === 0) break;
    output.status(
      `${graph.name}: ${place.name} is live; ${count(head?.outbox ?? 0)} vectors to be published`,
    );
    await pause(LOOK_MS);
  }
  output.statusDone();
  return { previous, published: most };
}

/** Does `work` while the live store is held here, so that nobody begins to run it; false when somebody does. */
async function nobodyRuns(
  graph: GraphConfig,
  work: () => Promise<void>,
  openStore: Surroundings['world']['openStore'],
): Promise<boolean> {
  const place = livePlace(graph);
  if (!existsSync(databaseFolder(place))) {
    await work();
    return true;
  }
  try {
    const store = await openForWriting(graph, { place, openStore });
    await work().finally(() => store.close());
    return true;
  } catch (error) {
    if (error instanceof FatalError && error.code === 'store-in-use') return false;
    throw error;
  }
}
