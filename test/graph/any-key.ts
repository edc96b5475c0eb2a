import fc from 'fast-check';

/** Texts that a record's key may be. */
export const anyText = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ minLength: 250, maxLength: 260 }),
  // Half a surrogate pair has no UTF-8 bytes of its own.
  fc.array(fc.integer({ min: 0xd800, max: 0xdfff })).map((units) => String.fromCharCode(...units)),
  fc.nat().map((id) => `user:${id}`),
);
/** Keys of records: texts, and bytes that may be no text. */
export const anyKey = fc.oneof(
  anyText,
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
);
