import { crc32c, Writer } from '@platformatic/kafka';

/** The CRC-32C of bytes. The client's own function copies them first, unless they are in one of its buffers, as here. */
export function checksum(bytes: Buffer): number {
  return crc32c(Writer.create().append(bytes).dynamicBuffer);
}
