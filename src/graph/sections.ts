/*
 * Sections, one behind the other. What a later version adds is a further section: a version that does not know it passes over it, and
 * a store without it begins with an empty one. Little-endian.
 *
 *     length of the name u8 | version u16 | length of the content u32 | name, UTF-8 | content
 */
const BEFORE_NAME = 7;

export interface Section {
  readonly name: string;
  readonly version: number;
  readonly content: Uint8Array;
}

export function encodeSections(sections: readonly Section[]): Buffer {
  return Buffer.concat(
    sections.flatMap(({ name, version, content }) => {
      const start = Buffer.alloc(BEFORE_NAME);
      start.writeUInt8(Buffer.byteLength(name), 0);
      start.writeUInt16LE(version, 1);
      start.writeUInt32LE(content.length, 3);
      return [start, Buffer.from(name), content];
    }),
  );
}

/** @throws Error where the bytes do not end with a section. */
export function decodeSections(bytes: Buffer): Section[] {
  const sections: Section[] = [];
  for (let at = 0; at < bytes.length; ) {
    const start = at + BEFORE_NAME;
    const length = start <= bytes.length ? bytes.readUInt32LE(at + 3) : 0;
    const content = start + bytes.readUInt8(at);
    const end = content + length;
    if (start > bytes.length || end > bytes.length)
      throw new Error(`a section at byte ${at} of ${bytes.length} is cut off`);
    const [name, version] = [bytes.toString('utf8', start, content), bytes.readUInt16LE(at + 1)];
    sections.push({ name, version, content: bytes.subarray(content, end) });
    at = end;
  }
  return sections;
}
