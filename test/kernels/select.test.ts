import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { FatalError } from '../../src/errors/errors.ts';
import { createKernel, kernelHere } from '../../src/kernels/select.ts';
import { layOut, layOutLanes, workspaceBytes } from '../../src/kernels/workspace.ts';
import { Table } from '../../src/model/table.ts';
import { DEFAULTS } from './fixture.ts';

const SIZE = { maxEdges: 64, maxCandidates: 200 };

test('gives the named kernel', () => {
  for (const name of ['wasm-plain', 'reference'] as const) {
    const table = new Table({ dim: 3, maxRows: 10, workspaceBytes: workspaceBytes(DEFAULTS, 64, 200) });
    const kernel = createKernel(name, table, DEFAULTS, SIZE);
    expect(kernel.name).toBe(name);
    expect(kernel.chunk).toMatchObject({
      ...SIZE,
      edges: 0,
      sides: { lhs: { count: 0 }, rhs: { count: 0 } },
    });
    expect(kernel.chunk.sides.rhs.mask).toHaveLength(64 * 200);
  }
});

test('wasm is the relaxed build in a live updater', () => {
  expect(kernelHere('wasm')).toBe('wasm-relaxed');
  expect(kernelHere('wasm-plain')).toBe('wasm-plain');
  expect(kernelHere('reference')).toBe('reference');
  expect(kernelHere('tfjs')).toBe('tfjs');
});

/** The reproducible kernels in a process with these flags of V8, and the bytes of a table after steps with each build. */
function elsewhere(...flags: string[]) {
  const script = `
    import { createHash } from 'node:crypto';
    import { reproducible } from '${new URL('../../src/kernels/select.ts', import.meta.url)}';
    import { DEFAULTS, fill, kernelOnRandomRows, rowBytes } from '${new URL('./fixture.ts', import.meta.url)}';
    const bytes = {};
    for (const build of ['wasm-plain', 'wasm-relaxed']) {
      const { table, kernel } = kernelOnRandomRows(build, DEFAULTS, { rows: 20 });
      for (let i = 0; i < 9; i++) {
        fill(kernel.chunk, { edges: [[2 + i, 0, 3 + i]], lhsCandidates: [4, 9, 17], rhsCandidates: [4, 8, 19] });
        kernel.step();
      }
      bytes[build] = createHash('sha256').update(rowBytes(table)).digest('hex');
    }
    const choices = ['wasm', 'tfjs', 'wasm-plain', 'reference'];
    console.log(JSON.stringify({ bytes, named: choices.map(reproducible) }));`;
  const run = spawnSync(process.execPath, [...flags, '--input-type=module', '--eval', script], {
    encoding: 'utf8',
  });
  if (run.status !== 0) throw new Error(run.stderr);
  return JSON.parse(run.stdout);
}

const HAS_FMA = process.platform === 'linux' && / fma /.test(readFileSync('/proc/cpuinfo', 'utf8'));

// An arm64 processor always fuses, and V8 has no flag against it.
test.runIf(process.arch === 'x64' && HAS_FMA)(
  'a reproducible kernel is the relaxed build where the processor fuses; elsewhere it has other bytes, and the plain build is taken',
  () => {
    const [fused, baseline, rounded] = [[], ['--no-wasm-tier-up'], ['--no-enable-fma3']].map((flags) =>
      elsewhere(...flags),
    );
    expect(fused.named).toEqual(['wasm-relaxed', 'wasm-relaxed', 'wasm-plain', 'reference']);
    expect(rounded.named).toEqual(['wasm-plain', 'wasm-plain', 'wasm-plain', 'reference']);
    expect(baseline).toEqual(fused);
    expect(rounded.bytes['wasm-plain']).toBe(fused.bytes['wasm-plain']);
    expect(rounded.bytes['wasm-relaxed']).not.toBe(fused.bytes['wasm-relaxed']);
  },
);

test('the relaxed build has one operation that machines compute in two ways', () => {
  const folder = new URL('../../src/kernels/assembly/', import.meta.url);
  const files = readdirSync(folder).filter((name) => name.endsWith('.ts'));
  const found = files.flatMap(
    (name) => readFileSync(new URL(name, folder), 'utf8').match(/relaxed_\w+/g) ?? [],
  );
  expect(found).toEqual(['relaxed_madd']);
});

test('refuses a table without room for the workspace, saying how to make one', () => {
  const table = new Table({ dim: 3, maxRows: 10, workspaceBytes: 0 });
  expect(() => createKernel('wasm', table, DEFAULTS, SIZE)).toThrow(FatalError);
  expect(() => createKernel('wasm', table, DEFAULTS, SIZE)).toThrow('workspaceBytes(settings, 64, 200)');
});

test.each([
  { dim: 1, maxEdges: 1, maxCandidates: 0 },
  { dim: 130, maxEdges: 64, maxCandidates: 255 },
])('blocks are on cache lines and do not overlap: %o', ({ dim, maxEdges, maxCandidates }) => {
  const { bytes, strides, chunk, gradients, scratch } = layOut(dim, { maxEdges, maxCandidates });
  const { blockRowBytes, weightRowBytes, edgeRowBytes, slotMask } = strides;
  const blocks = { ...chunk, ...gradients, ...scratch };
  const starts = Object.values(blocks).sort((a, b) => a - b);
  expect(starts[0]).toBeGreaterThan(0);
  for (const start of starts) expect(start % 64).toBe(0);
  expect(new Set(starts).size).toBe(starts.length);
  expect(bytes).toBeGreaterThan(starts.at(-1)!);
  expect(blockRowBytes).toBeGreaterThan(dim * 4);
  expect(edgeRowBytes).toBeGreaterThanOrEqual(maxEdges * 4);
  expect(weightRowBytes).toBeGreaterThanOrEqual(maxCandidates * 4);
  // Half of the hash table stays free for any chunk.
  expect(slotMask + 1).toBeGreaterThan(2 * (4 * maxEdges + 2 * maxCandidates));
});

test('the workspaces of several threads lie one above the other, and share nothing but what one step has', () => {
  const size = { maxEdges: 5, maxCandidates: 9 };
  let below = layOut(6, size).bytes;
  for (const thread of [1, 2, 3]) {
    const { lanes, helping, bytes } = layOutLanes(6, size, thread);
    const { chunk: _, ...shared } = lanes[0]!;
    for (const { chunk, ...others } of lanes) expect(others).toEqual(shared);
    const blocks = [...lanes.map(({ chunk }) => chunk), shared.gradients, shared.scratch, helping];
    const starts = blocks.flatMap((each) => Object.values(each));
    expect(new Set(starts).size).toBe(starts.length);
    expect(Math.min(...starts)).toBe(below);
    expect(bytes).toBeGreaterThan(Math.max(...starts));
    below = bytes;
  }
  // There is one thread at least beside the first.
  const ends = [1, 1, 2, 3].map((thread) => layOutLanes(6, size, thread).bytes);
  expect([1, 2, 3, 4].map((threads) => workspaceBytes({ dim: 6 }, 5, 9, threads))).toEqual(ends);
});
