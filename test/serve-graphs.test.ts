import { expect, test } from 'vitest';
import { serveGraphs } from '../src/serve-graphs.ts';

test.each([0, -1, 1.5, Number.NaN])(
  'serveGraphs refuses to remember %s edges, before it connects',
  async (edges) => {
    const refused = `edges: expected a whole number from 1, seen ${edges}`;
    await expect(serveGraphs({}, { edges })).rejects.toThrow(refused);
  },
);
