import type { GraphChange } from '../../../src/graph/edge.ts';
import type { EntityKey } from '../../../src/graph/entity.ts';
import { typeOf } from '../../../src/graph/entity.ts';

interface PlainEdge {
  readonly relation: string;
  readonly target: EntityKey;
  at: number;
  removed: boolean;
  /** When the edge was added, or the target unblocked, last. */
  endedAt: number;
}

interface PlainBlock {
  readonly by: EntityKey;
  readonly relation: string;
  readonly target: EntityKey;
  readonly at: number;
}

interface Bounds {
  readonly edgesOfOne: number;
  readonly edges: number;
}

/** What `Activity` promises, in arrays that are gone through from end to end. In each array, what was heard of last is last. */
export class PlainActivity {
  readonly bounds: Bounds;
  readonly edgesOf = new Map<EntityKey, PlainEdge[]>();
  /** All entities with edges, those active last at the end; then those that have blocks alone, in the order of their last edges. */
  #active: EntityKey[] = [];
  #blocksAlone: EntityKey[] = [];
  blocks: PlainBlock[] = [];
  /** Those that the blocked entities know of. */
  told: PlainBlock[] = [];
  readonly #erasedAt = new Map<EntityKey, number>();
  readonly #incomplete = new Set<EntityKey>();
  forgotten = 0;

  constructor(bounds: Bounds) {
    this.bounds = bounds;
  }

  get edges(): number {
    return [...this.edgesOf.values()].reduce((sum, { length }) => sum + length, this.blocks.length);
  }

  recent(entity: EntityKey) {
    return this.#known(entity)
      .map(({ relation, target, at, removed }) => {
        const blocked = this.blocks.some(
          (each) => each.by === entity && each.relation === relation && each.target === target,
        );
        return { relation, target, at, removed, blocked };
      })
      .sort((a, b) => {
        if (a.at !== b.at) return b.at - a.at;
        return `${a.relation} ${a.target}` < `${b.relation} ${b.target}` ? -1 : 1;
      });
  }

  seen(entity: EntityKey, relations: readonly string[]) {
    const seen = this.#known(entity).filter(({ relation }) => relations.includes(relation));
    return {
      targets: [...new Set(seen.map(({ target }) => target))],
      complete: !this.#incomplete.has(entity),
    };
  }

  liveOf(entity: EntityKey, relation: string): number {
    return this.#known(entity).filter((each) => each.relation === relation && !each.removed).length;
  }

  liveOfAll(relation: string): number {
    const all = [...this.edgesOf.values()].flat();
    return all.filter((each) => each.relation === relation && !each.removed).length;
  }

  blocked(entity: EntityKey, type: string): Set<EntityKey> {
    const own = this.blocks.filter(({ by }) => by === entity);
    const told = this.told.filter(({ target }) => target === entity);
    const ends = [...own, ...told].flatMap(({ by, target, at }) => {
      const other = by === entity ? target : by;
      const isOver = typeOf(other) !== type || this.#isErased(by, at) || this.#isErased(target, at);
      return isOver ? [] : [other];
    });
    return new Set(ends);
  }

  take(change: GraphChange): void {
    if ('erased' in change) this.#erase(change.erased, change.at);
    else if (!this.#isErased(change.lhs, change.at)) {
      const { lhs, relation, rhs: target, at, removed, blocked } = change;
      const edges = this.edgesOf.get(lhs) ?? [];
      this.edgesOf.set(lhs, edges);
      const known = edges.find((each) => each.relation === relation && each.target === target);
      const endsBlocks = !removed || blocked === false;
      const endedAt = Math.max(known?.endedAt ?? -1, endsBlocks ? at : -1);
      if (known === undefined || known.at < at || (known.at === at && removed && !known.removed)) {
        if (known !== undefined) edges.splice(edges.indexOf(known), 1);
        edges.push({ relation, target, at, removed, endedAt });
      } else known.endedAt = endedAt;
      if (edges.length > this.bounds.edgesOfOne) this.#forgetOldest(lhs, edges);
      if (blocked === true && endedAt <= at) this.#block({ by: lhs, relation, target, at });
      else if (endsBlocks)
        this.#end(
          (each) => each.by === lhs && each.relation === relation && each.target === target && each.at < at,
        );
      this.#active = [...this.#active.filter((each) => each !== lhs), lhs];
      this.#blocksAlone = this.#blocksAlone.filter((each) => each !== lhs);
      while (this.edges > this.bounds.edges) this.#forgetQuietest();
    }
  }

  #known(entity: EntityKey): PlainEdge[] {
    return (this.edgesOf.get(entity) ?? []).filter(({ target, at }) => !this.#isErased(target, at));
  }

  #isErased(entity: EntityKey, at: number): boolean {
    return at <= (this.#erasedAt.get(entity) ?? -1);
  }

  #erase(entity: EntityKey, at: number): void {
    if (this.#isErased(entity, at)) return;
    this.#erasedAt.set(entity, at);
    const left = (this.edgesOf.get(entity) ?? []).filter((each) => each.at > at);
    this.edgesOf.set(entity, left);
    this.#end((each) => each.by === entity && each.at <= at);
    if (left.length === 0 && this.#active.includes(entity)) {
      this.#active = this.#active.filter((each) => each !== entity);
      if (this.blocks.some(({ by }) => by === entity)) this.#blocksAlone.push(entity);
    }
  }

  #block(block: PlainBlock): void {
    const { by, relation, target, at } = block;
    const known = this.blocks.find(
      (each) => each.by === by && each.relation === relation && each.target === target,
    );
    if (known !== undefined && known.at >= at) return;
    if (known !== undefined) this.#end((each) => each === known);
    this.blocks = [...this.blocks, block];
    this.told = [...this.told, block];
    const told = this.told.filter((each) => each.target === target);
    if (told.length > this.bounds.edgesOfOne) {
      this.told = this.told.filter((each) => each !== told[0]);
      this.#incomplete.add(target);
    }
    const own = this.blocks.filter((each) => each.by === by);
    if (own.length > this.bounds.edgesOfOne) this.#forgetBlocks([own[0]!]);
  }

  #end(isOver: (block: PlainBlock) => boolean): void {
    this.blocks = this.blocks.filter((each) => !isOver(each));
    this.told = this.told.filter((each) => !isOver(each));
  }

  #forgetBlocks(blocks: readonly PlainBlock[]): void {
    this.#end((each) => blocks.includes(each));
    this.forgotten += blocks.length;
    for (const { by, target } of blocks) this.#incomplete.add(by).add(target);
  }

  /** The first edge of each relation is compared. */
  #forgetOldest(entity: EntityKey, edges: PlainEdge[]): void {
    const firsts = edges.filter(
      ({ relation }, i) => edges.findIndex((each) => each.relation === relation) === i,
    );
    const oldest = firsts.reduce((a, b) => (b.at < a.at ? b : a));
    edges.splice(edges.indexOf(oldest), 1);
    this.#incomplete.add(entity);
    this.forgotten++;
  }

  #forgetQuietest(): void {
    const quietest = this.#active.shift();
    if (quietest !== undefined) {
      this.forgotten += this.edgesOf.get(quietest)!.length;
      this.edgesOf.delete(quietest);
      this.#incomplete.add(quietest);
      if (this.blocks.some(({ by }) => by === quietest)) this.#blocksAlone.push(quietest);
    } else {
      const first = this.#blocksAlone.shift()!;
      this.#forgetBlocks(this.blocks.filter(({ by }) => by === first));
    }
  }
}
