import type { MaskTask } from '../../src/sampling/known-positives.ts';

/** The oracle of `KnownPositives`: a set of live edges, and a lookup for every edge and candidate. */
export class PositivesSet {
  readonly #live = new Set<string>();

  get edges(): number {
    return this.#live.size;
  }

  get live(): (readonly [lhs: number, relation: number, rhs: number])[] {
    return Array.from(this.#live, (edge) => {
      const [lhs = 0, relation = 0, rhs = 0] = edge.split(' ').map(Number);
      return [lhs, relation, rhs];
    });
  }

  add(lhs: number, relation: number, rhs: number): void {
    this.#live.add(`${lhs} ${relation} ${rhs}`);
  }

  remove(lhs: number, relation: number, rhs: number): void {
    this.#live.delete(`${lhs} ${relation} ${rhs}`);
  }

  has(lhs: number, relation: number, rhs: number): boolean {
    return this.#live.has(`${lhs} ${relation} ${rhs}`);
  }

  inDegree(row: number): number {
    return [...this.#live].filter((edge) => edge.endsWith(` ${row}`)).length;
  }

  #degree(anchor: number, side: MaskTask['side']): number {
    if (side === 'lhs') return this.inDegree(anchor);
    return [...this.#live].filter((edge) => edge.startsWith(`${anchor} `)).length;
  }

  /** The mask by its definition, [edges, count]. */
  mask(task: Omit<MaskTask, 'mask' | 'stride'>): number[][] {
    return Array.from({ length: task.edges }, (_, i) => {
      const anchor = task.anchors[i]!;
      const relation = task.relation[i]!;
      return Array.from(task.candidates.subarray(0, task.count), (candidate) => {
        const isHub = this.#degree(anchor, task.side) > task.hub(anchor);
        const live =
          task.side === 'rhs' ? this.has(anchor, relation, candidate) : this.has(candidate, relation, anchor);
        return (live && !isHub) || candidate === task.positives[i] ? 1 : 0;
      });
    });
  }
}
