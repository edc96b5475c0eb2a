import { createRequire } from 'node:module';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { crc32c } from '../../../../src/adapters/kafka/producer/crc32c.ts';

const own: (bytes: Uint8Array) => number = createRequire(import.meta.url)(
  'kafkajs/src/protocol/recordBatch/crc32C/index.js',
);

// RFC 3720, B.4, and the check value of the Rocksoft catalogue.
test.each([
  ['zeros', Buffer.alloc(32), 0x8a9136aa],
  ['ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
  ['rising', Buffer.from(Array.from({ length: 32 }, (_, n) => n)), 0x46dd794e],
  ['123456789', Buffer.from('123456789'), 0xe3069283],
  ['nothing', Buffer.alloc(0), 0],
])('the CRC-32C of %s', (_, bytes, crc) => {
  expect(crc32c(bytes, 0, bytes.length)).toBe(crc);
});

test('of any part of any bytes it is what kafkajs reckons', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), fc.nat(200), (bytes, one, other) => {
      const [from, until] = [
        Math.min(one, other, bytes.length),
        Math.min(Math.max(one, other), bytes.length),
      ];
      expect(crc32c(bytes, from, until)).toBe(own(bytes.subarray(from, until)));
    }),
    { numRuns: 1_000 },
  );
});
