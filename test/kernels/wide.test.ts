import { expect, test } from 'vitest';
import {
  DEFAULTS,
  fill,
  foreignGradientsOf,
  kernelOnRandomRows,
  MODELS,
  randomContent,
  rowBytes,
  seeded,
} from './fixture.ts';

const BUILDS = ['wasm-plain', 'wasm-relaxed'] as const;

test.each(BUILDS.flatMap((build) => MODELS.map((model) => ({ build, ...model }))))(
  '$build gives the same bytes wide and narrow: $scorer with $loss',
  ({ build, scorer, loss }) => {
    const random = seeded(11);
    const upTo = (most: number) => 1 + Math.floor(random() * most);
    for (let n = 0; n < 20; n++) {
      const settings = { ...DEFAULTS, dim: upTo(140), scorer, loss, unitBall: n % 2 === 0 };
      const rows = 20 + upTo(60);
      const [maxEdges, maxCandidates] = [upTo(70), upTo(90)];
      const make = (name: typeof build | `${typeof build}-wide`) => {
        const made = kernelOnRandomRows(name, settings, { rows, maxEdges, maxCandidates, accumulator: 0.01 });
        for (let row = 7; row < rows; row += n % 3 === 0 ? 5 : rows) made.table.markForeign(row, -1 - row);
        return made;
      };
      const [narrow, wide] = [make(build), make(`${build}-wide`)];
      for (let step = 0; step < 3; step++) {
        const counts = {
          edges: upTo(maxEdges),
          lhsCount: upTo(maxCandidates),
          rhsCount: upTo(maxCandidates),
        };
        const content = randomContent(random, { relations: 3, rows, ...counts });
        const results = [narrow, wide].map(({ kernel, table }) => {
          fill(kernel.chunk, content);
          const sum = kernel.step();
          const scores = new Float32Array(24);
          kernel.scoreMatrix(
            Int32Array.of(6, 8),
            Int32Array.of(0, 3),
            Int32Array.from({ length: 12 }, (_, i) => i + 6),
            scores,
          );
          return {
            sum,
            losses: kernel.losses.slice(),
            gradients: foreignGradientsOf(kernel),
            scores,
            bytes: rowBytes(table),
          };
        });
        expect(results[1], `${n}, step ${step}`).toEqual(results[0]);
      }
    }
  },
);
