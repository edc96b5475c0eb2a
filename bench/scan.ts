import type { ScanQuery } from '../src/kernels/scan/scan.ts';
import { Scanner } from '../src/kernels/scan/scanner.ts';
import { ScanTable } from '../src/kernels/scan/table.ts';
import type { ScorerName } from '../src/model/settings.ts';
import { Random } from '../src/sampling/random.ts';
import { cpuMs, defineBench, type Figures } from './harness.ts';

const QUERIES = 8;
const TOGETHER = 4;
const WRITES = 20_000;
const SCORERS: readonly ScorerName[] = ['transe-l2', 'twhin', 'transe-l1'];

const ALONE = 'ms of CPU a query, alone';
const SHARED = 'ms of CPU a query, four a pass';
const EXACT = 'rows scored exactly, %';
const WRITTEN = 'k rows written a second of CPU';

/**
 * What the exact scan takes for a query. Rows are in clusters about centres of length 1; queries are such vectors too. Rows are
 * written anywhere.
 */
export const scan = defineBench({
  name: 'scan',
  what: 'processor time of a query by the exact scan',
  docs: 'serve.md#how-fast-is-it',
  measures: ['src/kernels/scan', 'src/graph/nearest.ts'],
  sizes: {
    full: { rows: 245_000, dim: 128, count: 10, cluster: 500, spread: 0.5 },
    smoke: { rows: 4_000, dim: 32, count: 10, cluster: 100, spread: 0.5 },
  },
  without: ['set'],
  columns: [ALONE, SHARED, EXACT, WRITTEN],
  async measure(here) {
    const { rows, dim, count } = here.size;
    const world = new Clusters(here.size);
    const scanned = new ScanTable({ dim, maxRows: rows, scanners: 1 });
    for (let row = 0; row < rows; row++) scanned.write(row, world.next());
    const queries = () =>
      Array.from({ length: QUERIES }, (): ScanQuery => ({ vector: Float64Array.from(world.next()) }));
    let asked = queries();
    const ways: Record<string, () => Promise<Figures>> = {};
    for (const scorer of SCORERS) {
      const scanner = new Scanner(scanned, scorer);
      ways[`${scorer}, wasm-relaxed`] = async () => {
        const before = scanner.scored;
        const alone = await cpuMs(() => {
          for (const query of asked) scanner.top([query], count);
        });
        const share = (100 * (scanner.scored - before)) / QUERIES / rows;
        const together = await cpuMs(() => {
          for (let i = 0; i < QUERIES; i += TOGETHER) scanner.top(asked.slice(i, i + TOGETHER), count);
        });
        return { [ALONE]: alone / QUERIES, [SHARED]: together / QUERIES, [EXACT]: share };
      };
    }
    ways['writing'] = async () => {
      const vectors = Array.from({ length: 500 }, () => world.next());
      const ms = await cpuMs(() => {
        for (let i = 0; i < WRITES; i++)
          scanned.write(world.random.below(rows), vectors[i % vectors.length]!);
      });
      asked = queries();
      return { [WRITTEN]: WRITES / ms };
    };
    await here.turns(ways, 1);
  },
});

/** Vectors about centres of length 1, drawn one after the other. */
export class Clusters {
  readonly random = Random.seeded(1);
  readonly #dim: number;
  readonly #spread: number;
  readonly #centres: readonly Float32Array[];

  /** cluster: rows about a centre; spread: how far from their centre rows are. */
  constructor({
    rows,
    dim,
    cluster,
    spread,
  }: { rows: number; dim: number; cluster: number; spread: number }) {
    this.#dim = dim;
    this.#spread = spread;
    this.#centres = Array.from({ length: Math.ceil(rows / cluster) }, () => this.#draw(1));
  }

  get centres(): number {
    return this.#centres.length;
  }

  /** A vector about this centre, or about any. */
  next(centre = this.random.below(this.#centres.length)): Float32Array {
    const middle = this.#centres[centre]!;
    return this.#draw(this.#spread).map((value, k) => value + middle[k]!);
  }

  /** Numbers by a bell curve, of this length together. */
  #draw(length: number): Float32Array {
    const vector = Float32Array.from({ length: this.#dim }, () => {
      const radius = Math.sqrt(-2 * Math.log(1 - this.random.uniform()));
      return radius * Math.cos(2 * Math.PI * this.random.uniform());
    });
    return vector.map((value) => (value * length) / Math.sqrt(this.#dim));
  }
}
