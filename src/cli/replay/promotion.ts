import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { GraphConfig } from '../../config/resolve.ts';
import { FatalError, RetryableError } from '../../errors/errors.ts';
import type { Log } from '../../log.ts';
import { databaseFolder, openForWriting } from '../../state/open.ts';
import { livePlace, readLive, type StorePlace } from '../../state/places.ts';
import { dropPromotion, pendingPromotion, requestPromotion, settlePromotion } from '../../state/promotion.ts';
import type { Surroundings } from '../surroundings.ts';
import { type Interrupt, onSignal } from './interrupt.ts';
import { Runner } from './runner.ts';
import { headOf } from './store.ts';
import { publishedAnew } from './swapped.ts';

const LOOK_MS = 200;
/** A graceful stop of the store before, and then some. */
const SWAP_MS = 120_000;

/**
 * Has the store made live: by the process that runs the graph, or here where none does. Waits until what differs is
 * published. Gives the store that was live before, and how many vectors were published anew; undefined: nobody runs it.
 * @throws FatalError when the running process does not swap; then nothing has changed.
 * @throws FatalError when it swapped and does not publish.
 * @throws RetryableError `interrupted`, saying which store is live.
 */
export async function promotionMade(
  graph: GraphConfig,
  place: StorePlace,
  set: readonly string[],
  { world, output }: Pick<Surroundings, 'world' | 'output'>,
  log: Log,
): Promise<{ previous: string; published: number | undefined }> {
  const previous = readLive(graph).live;
  const promotion = { graph, place, openStore: world.openStore, log };
  const signals = onSignal(() => undefined);
  try {
    const request = () => requestPromotion(graph, { store: place.name, set: [...set] });
    const made = await madeHere(promotion, request).catch(async (error: unknown) => {
      // Nobody is to make later what was said to have failed.
      await dropPromotion(graph);
      throw error;
    });
    if (made) return { previous, published: undefined };
    await request();
    log.info({ graph: graph.name, store: place.name }, 'asked the running updater to swap');
    const epoch = (await headOf(graph, place))?.epoch ?? 0;
    const runner = new Runner(graph);
    const tell = () =>
      output.status(`${graph.name}: waiting for the running updater to end with ${previous}`);
    if (!(await madeByRunner(promotion, runner, signals, tell))) return { previous, published: undefined };
    return { previous, published: await publishedAnew(graph, place, { epoch, runner, signals, output }) };
  } finally {
    signals.ignore();
    output.statusDone();
  }
}

interface Promoting {
  readonly graph: GraphConfig;
  readonly place: StorePlace;
  readonly openStore: Surroundings['world']['openStore'];
  readonly log: Log;
}

/**
 * Makes it live while the store before is held here, so that nobody begins to run that one; false when somebody does.
 * request: asks for the promotion, where that is not done yet; only then, or who runs it could end between this and that.
 */
async function madeHere(
  { graph, openStore, log }: Promoting,
  request: () => Promise<void> = async () => {},
): Promise<boolean> {
  const place = livePlace(graph);
  const make = () => request().then(() => settlePromotion(graph));
  if (!existsSync(databaseFolder(place))) {
    await make();
    return true;
  }
  try {
    const store = await openForWriting(graph, { place, openStore });
    await make().finally(() => store.close());
    return true;
  } catch (error) {
    if (!(error instanceof FatalError)) throw error;
    if (error.code === 'store-in-use') return false;
    if (error.code !== 'store-open') throw error;
    // Damaged, which is when another is wanted most: nobody can run it.
    log.warn(
      { graph: graph.name, store: place.name, code: error.code, reason: error.message },
      "the live store can't be opened",
    );
    await make();
    return true;
  }
}

/** Waits for the process that runs the graph; false when that one is gone, and the store was made live here. */
async function madeByRunner(
  promotion: Promoting,
  runner: Runner,
  signals: Interrupt,
  tell: () => void,
): Promise<boolean> {
  const { graph, place } = promotion;
  const isLive = () => readLive(graph).live === place.name;
  const deadline = performance.now() + SWAP_MS;
  while (!isLive()) {
    const wish = pendingPromotion(graph);
    if (wish?.store !== place.name && !isLive()) {
      const instead =
        wish === undefined ? 'it was taken back' : `that of ${wish.store} was asked for meanwhile`;
      throw new FatalError(
        'promotion',
        `${place.name} was not made the live store of ${graph.name}: ${instead}`,
      );
    }
    if (runner.gone() && (await madeHere(promotion))) return false;
    if (signals.interrupted() || performance.now() > deadline) {
      await dropPromotion(graph);
      if (isLive()) return true;
      if (signals.interrupted()) throw new RetryableError('interrupted', 'interrupted; nothing has changed');
      const message = `the process that runs ${graph.name} did not swap within ${SWAP_MS / 1000} s; see its log`;
      throw new FatalError('promotion', `${message}. Nothing has changed; ask again once it runs well`);
    }
    tell();
    await pause(LOOK_MS);
  }
  return true;
}
