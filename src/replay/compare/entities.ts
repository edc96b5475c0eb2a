import { compareKeys } from '../../graph/entity.ts';
import type { EntityRecord } from '../../graph/graph-store.ts';
import type { Random } from '../../sampling/random.ts';
import { type CommonEntity, type ComparedStores, commonTypes, type OnProgress } from './compared-stores.ts';
import { countMember, type Membership, noMembers } from './membership.ts';
import { mergeJoin } from './merge-join.ts';
import { Reservoir } from './reservoir.ts';

const PROGRESS_EVERY = 10_000;

/** What two stores' entities of one type have in common. */
export interface EntityComparison extends Membership {
  /** Entities that both have trained. */
  readonly trained: number;
  /** Up to so many of these as were asked for, in random order: the first n are a sample themselves. */
  readonly sample: readonly CommonEntity[];
}

/** Compares the entities of two stores by the types they share: one pass over each. sample: entities kept a type. */
export async function compareEntities(
  stores: ComparedStores,
  options: { sample: number; random: Random; onProgress: OnProgress },
): Promise<Map<string, EntityComparison>> {
  const found = new Map<string, EntityComparison>();
  let done = 0;
  for (const type of commonTypes(stores)) {
    const members = noMembers();
    const trained = new Reservoir<CommonEntity>(options.sample, options.random);
    const [as, bs] = [stores.a.store.entities(type), stores.b.store.entities(type)];
    for await (const { a, b } of mergeJoin(as, bs, byKey)) {
      countMember(members, a !== undefined, b !== undefined, () => (a ?? b)?.key ?? '');
      if (a && b && a.updates > 0 && b.updates > 0) {
        trained.offer({ key: a.key, rowA: a.row, rowB: b.row });
      }
      if (++done % PROGRESS_EVERY === 0) options.onProgress('entities', done);
    }
    found.set(type, { ...members, trained: trained.offered, sample: trained.shuffled() });
  }
  return found;
}

function byKey(x: EntityRecord, y: EntityRecord): number {
  return compareKeys(x.key, y.key);
}
