import { CumulativeCounts } from './cumulative-counts.ts';
import type { KnownPositives, Side } from './known-positives.ts';
import type { Random } from './random.ts';

/** Weights are whole numbers, so that their sums do not depend on the order in which edges came. 1 is this many. */
const UNIT = 256;
/** Weights of degrees below this are computed once. */
const TABLED = 1024;

/** The entity types on both sides of a relation, by index. */
interface TypePair {
  readonly lhsType: number;
  readonly rhsType: number;
}

/** The rows of one type on one side of their edges. */
interface TypeSide {
  /** By row: degree^power, in parts of {@link UNIT}. */
  readonly weights: CumulativeCounts;
  /** Live edges that end here. */
  edges: number;
}

/**
 * Rows weighted by degree^power, by entity type and side: the degree of a row on a side is the number of remembered live
 * edges, of all relations, that have the row on this side. What is drawn depends on the live edges alone, not on their
 * order, so that it is the same after a restart. A draw and a change take one step for each binary digit of the number of
 * rows; 8 bytes a row for each type on each side.
 */
export class DegreeWeights {
  readonly #known: KnownPositives;
  readonly #relations: readonly TypePair[];
  readonly #power: number;
  readonly #tabled: Float64Array;
  /** By side: [types] undefined where no relation has the type on this side. */
  readonly #sides: Readonly<Record<Side, readonly (TypeSide | undefined)[]>>;

  /** known: the live edges; its changes must be told to `add` and `remove`. power: from 0, all alike, to 1. */
  constructor(options: {
    known: KnownPositives;
    relations: readonly TypePair[];
    types: number;
    maxRows: number;
    power: number;
  }) {
    const { known, relations, types, maxRows, power } = options;
    this.#known = known;
    this.#relations = relations;
    this.#power = power;
    this.#tabled = Float64Array.from({ length: TABLED }, (_, degree) => weightOf(degree, power));
    const sideOf = (typesOnSide: readonly number[]) =>
      Array.from({ length: types }, (_, type) =>
        typesOnSide.includes(type)
          ? { weights: new CumulativeCounts(maxRows, new Float64Array(maxRows + 1)), edges: 0 }
          : undefined,
      );
    this.#sides = {
      lhs: sideOf(relations.map(({ lhsType }) => lhsType)),
      rhs: sideOf(relations.map(({ rhsType }) => rhsType)),
    };
  }

  /** Takes over all edges that were loaded. typeOf: the type of each row. */
  settle(typeOf: (row: number) => number): void {
    for (const side of ['lhs', 'rhs'] as const) {
      this.#sides[side].forEach((each, type) => {
        if (each === undefined) return;
        each.edges = 0;
        each.weights.fill((row) => {
          const degree = typeOf(row) === type ? this.#known.degree(side, row) : 0;
          each.edges += degree;
          return this.#weight(degree);
        }, this.#known.rows);
      });
    }
  }

  /** Notes that an edge was added to the live edges. */
  add(lhs: number, relation: number, rhs: number): void {
    this.#move(lhs, relation, rhs, 1);
  }

  /** Notes that an edge was removed from the live edges. */
  remove(lhs: number, relation: number, rhs: number): void {
    this.#move(lhs, relation, rhs, -1);
  }

  #move(lhs: number, relation: number, rhs: number, change: 1 | -1): void {
    const { lhsType, rhsType } = this.#relations[relation]!;
    this.#moveEnd('lhs', lhsType, lhs, change);
    this.#moveEnd('rhs', rhsType, rhs, change);
  }

  #moveEnd(side: Side, type: number, row: number, change: 1 | -1): void {
    const each = this.#sides[side][type]!;
    const degree = this.#known.degree(side, row);
    each.weights.add(row, this.#weight(degree) - this.#weight(degree - change));
    each.edges += change;
  }

  /** The number of live edges with an entity of the type on the side. */
  edges(side: Side, type: number): number {
    return this.#sides[side][type]?.edges ?? 0;
  }

  /** A row of the type, in proportion to degree^power. There must be an edge. */
  draw(side: Side, type: number, random: Random): number {
    const { weights } = this.#sides[side][type]!;
    return weights.find(random.belowLarge(weights.total)).row;
  }

  /** The probability with which `draw` gives the row. There must be an edge. */
  share(side: Side, type: number, row: number): number {
    return this.#weight(this.#known.degree(side, row)) / this.#sides[side][type]!.weights.total;
  }

  #weight(degree: number): number {
    return degree < TABLED ? this.#tabled[degree]! : weightOf(degree, this.#power);
  }
}

function weightOf(degree: number, power: number): number {
  return degree === 0 ? 0 : Math.round(UNIT * degree ** power);
}
