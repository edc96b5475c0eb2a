import type { ReplayPaceOptions } from '../../compose/pace.ts';
import type { GraphConfig } from '../../config/resolve.ts';
import { FatalError, UsageError } from '../../errors/errors.ts';
import { forgetTopic } from '../../graph/graph-store.ts';
import { differences, type Head } from '../../graph/head.ts';
import { openForWriting } from '../../state/open.ts';
import { FIRST_STORE, placeOf, readOrigin, type StorePlace } from '../../state/places.ts';
import type { CommandContext } from '../context.ts';
import { readReplayRecord } from './record.ts';
import { headOf } from './store.ts';

/** The options as typed on the command line. */
export interface PromoteOptions extends ReplayPaceOptions {
  readonly graph?: string;
  readonly maxLag?: number;
  readonly rollback?: boolean;
  readonly reread: readonly string[];
  readonly json?: boolean;
}

/** Whether a graph or shard has a store of that name that could be made live. */
export function exists(graph: GraphConfig, name: string): boolean {
  return name === FIRST_STORE || readOrigin(placeOf(graph, name)) !== undefined;
}

/** The head of a store that can be made live. @throws UsageError, FatalError where it cannot. */
export async function check(graph: GraphConfig, place: StorePlace): Promise<Head> {
  if (readReplayRecord(place)?.finished === null) {
    throw new UsageError(
      `the replay into ${place.name} is not finished: give the same twhin replay command again to go on with it, and promote it then`,
    );
  }
  const head = await headOf(graph, place);
  if (head === undefined) {
    throw new FatalError('store-missing', `there is no store ${place.name} in ${place.folder}`);
  }
  const differing = differences(head.model, graph.model);
  if (differing.length > 0) {
    throw new FatalError(
      'store-model',
      `${place.name} is of another model than is configured: ${differing.join('; ')}. It could not be run; put the ` +
        'configuration back that it was made with, or make it again',
    );
  }
  return head;
}

/** Lets the store read these topics from their start. */
export async function reread(
  topics: readonly string[],
  graph: GraphConfig,
  place: StorePlace,
  { world }: CommandContext,
): Promise<void> {
  if (topics.length === 0) return;
  const store = await openForWriting(graph, { place, openStore: world.openStore });
  try {
    for (const topic of topics) await forgetTopic(store, topic);
  } finally {
    await store.close();
  }
}
