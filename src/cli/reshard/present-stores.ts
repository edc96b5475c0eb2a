import type { GraphConfig } from '../../config/resolve.ts';
import { FatalError } from '../../errors/errors.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import { differences, fingerprint, type Head } from '../../graph/head.ts';
import { nextHead } from '../../graph/reshard/next-head.ts';
import { isStore, openForWriting } from '../../state/open.ts';
import { livePlace, type StorePlace } from '../../state/places.ts';
import { foldersOf, type ReshardPlan } from './plan.ts';

/** The stores there are, in the order of the shards. */
export interface PresentStores {
  readonly places: readonly StorePlace[];
  readonly stores: readonly GraphStore[];
  readonly heads: readonly Head[];
}

/**
 * Holds every present store, as an updater does, while `work` reads them, so that none can change meanwhile.
 * @throws FatalError where one is missing, in use, or of another model, shard or training than the others.
 */
export async function withPresentStores<T>(
  { graph, present, next, internalTopics }: ReshardPlan,
  work: (present: PresentStores) => Promise<T>,
): Promise<T> {
  const places = present.map((each) => livePlace(each));
  // Opening makes a store where there is none.
  refuseMissing(
    graph,
    places.filter((place) => !isStore(place)),
  );
  await using opened = new AsyncDisposableStack();
  const stores: GraphStore[] = [];
  for (const [i, each] of present.entries())
    stores.push(opened.use(await openForWriting(each, { place: places[i]!, keepsImage: true })));
  const heads: Head[] = [];
  const empty: StorePlace[] = [];
  for (const [i, store] of stores.entries()) {
    const head = await store.head();
    if (head === undefined) empty.push(places[i]!);
    else heads.push(head);
  }
  refuseMissing(graph, empty);
  for (const [i, each] of present.entries()) refuseOther(each, heads[i]!);
  // Refuses stores that are not of one training before anything is written.
  nextHead(heads, { graph, count: next.length, internalTopics, runs: [] }, 0);
  return await work({ places, stores, heads });
}

function refuseMissing(graph: string, places: readonly StorePlace[]): void {
  const [first] = places;
  if (first === undefined) return;
  throw new FatalError(
    'store-missing',
    `there is no store in ${foldersOf(places)}, and all stores of ${graph} are needed here. Bring them to this state folder, or make ` +
      `them again with twhin restore DIR --graph ${first.graph}`,
  );
}

function refuseOther({ name, model, shard }: GraphConfig, head: Head): void {
  const differing = differences(head.model, model);
  if (differing.length > 0) {
    throw new FatalError(
      'store-model',
      `the store of ${name} is another model's (fingerprint ${fingerprint(head.model)}, configured ${fingerprint(model)}).\n` +
        `${differing.map((line) => `  ${line}`).join('\n')}\n` +
        'Put the configuration back that all stores were made with; a store that differs from the others is to be restored.',
    );
  }
  if (head.graph !== name || head.shard?.index !== shard?.index || head.shard?.count !== shard?.count) {
    const { index = 0, count = 1 } = head.shard ?? {};
    throw new FatalError(
      'store-graph',
      `the store of ${name} is that of ${head.graph}, shard ${index} of ${count}, and the configuration asks for shard ` +
        `${shard?.index ?? 0} of ${shard?.count ?? 1}. Set the number of shards to that of the stores`,
    );
  }
}
