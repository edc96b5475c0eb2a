import { expect, it } from 'vitest';
import { npy } from '../../src/adapters/npy.ts';

it('npy has the bytes that the format asks for', () => {
  const bytes = npy(Float32Array.of(1, -2.5, 3, 4, 5, 6), [2, 3]);
  // 128 bytes of magic, length and header, as numpy.save writes for such a matrix; then the numbers.
  expect(bytes.subarray(0, 8).toString('latin1')).toBe('\x93NUMPY\x01\x00');
  expect(bytes.readUInt16LE(8)).toBe(118);
  expect(bytes.subarray(10, 128).toString('latin1').trimEnd()).toBe(
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
  );
  expect(bytes[127]).toBe(0x0a);
  expect(bytes.length).toBe(128 + 24);
  expect(bytes.readFloatLE(128 + 4)).toBe(-2.5);
});
