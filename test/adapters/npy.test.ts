import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { npy } from '../../src/adapters/npy.ts';

const BYTES = npy(Float32Array.of(1, -2.5, 3, 4, 5, 6), [2, 3]);

describe('npy', () => {
  it('has the bytes that the format asks for', () => {
    // 128 bytes of magic, length and header, as numpy.save writes for such a matrix; then the numbers.
    expect(BYTES.subarray(0, 8).toString('latin1')).toBe('\x93NUMPY\x01\x00');
    expect(BYTES.readUInt16LE(8)).toBe(118);
    expect(BYTES.subarray(10, 128).toString('latin1').trimEnd()).toBe(
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
    );
    expect(BYTES[127]).toBe(0x0a);
    expect(BYTES.length).toBe(128 + 24);
    expect(BYTES.readFloatLE(128 + 4)).toBe(-2.5);
  });

  const numpy = spawnSync('python3', ['-c', 'import numpy']).status === 0;
  it.skipIf(!numpy)('is read by NumPy itself (skipped where NumPy is not installed)', () => {
    const script =
      'import io, json, sys, numpy; a = numpy.load(io.BytesIO(sys.stdin.buffer.read())); print(json.dumps([str(a.dtype), a.tolist()]))';
    const { stdout } = spawnSync('python3', ['-c', script], { input: BYTES, encoding: 'utf8' });
    expect(JSON.parse(stdout)).toEqual([
      'float32',
      [
        [1, -2.5, 3],
        [4, 5, 6],
      ],
    ]);
  });
});
