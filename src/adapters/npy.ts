const MAGIC = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
/** The data begins at a multiple of this. */
const ALIGNMENT = 64;

/**
 * Numbers as the bytes of a NumPy file, for `numpy.load`. values: of this shape, row-major.
 *
 *     93 'NUMPY' 1 0 | length of the header u16 | header: a Python dict, spaces, newline | float32 …
 *
 * Source: NumPy Enhancement Proposal 1, format version 1.0.
 */
export function npy(values: Float32Array, shape: readonly number[]): Buffer {
  const { buffer, byteOffset, byteLength } = values;
  return Buffer.concat([npyHeader(shape), new Uint8Array(buffer, byteOffset, byteLength)]);
}

const DTYPES = { float32: '<f4', uint8: '|u1' } as const;

/** The header of a NumPy file; the numbers follow row by row, little-endian. shape: two numbers or more. */
export function npyHeader(shape: readonly number[], dtype: keyof typeof DTYPES = 'float32'): Buffer {
  const dict = `{'descr': '${DTYPES[dtype]}', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`;
  const before = MAGIC.length + 2;
  const end = Math.ceil((before + dict.length + 1) / ALIGNMENT) * ALIGNMENT;
  const bytes = Buffer.alloc(end, ' ');
  MAGIC.copy(bytes);
  bytes.writeUInt16LE(end - before, MAGIC.length);
  bytes.write(dict, before, 'latin1');
  bytes.write('\n', end - 1, 'latin1');
  return bytes;
}
