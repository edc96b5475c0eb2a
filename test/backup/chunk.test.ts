import { describe, expect, test } from 'vitest';
import { ChunkBuilder, entriesOf, MAX_CHUNK_BYTES } from '../../src/backup/chunk.ts';
import type { Entry } from '../../src/graph/store.ts';

const MIB = 1024 * 1024;
const entry = (key: string, value: Uint8Array): Entry => ({ key: Buffer.from(key), value });

/** Cuts entries as a backup does: the first key and the bytes of each chunk. */
function cut(entries: Iterable<Entry>): { starts: string[]; sizes: number[] } {
  const builder = new ChunkBuilder();
  const starts: string[] = [];
  const sizes: number[] = [];
  const end = () => {
    if (builder.entries > 0) sizes.push(builder.bytes.length);
    builder.clear();
  };
  for (const each of entries) {
    if (!builder.add(each)) {
      end();
      builder.add(each);
    }
    if (builder.entries === 1) starts.push(Buffer.from(each.key).toString());
    if (builder.ends) end();
  }
  end();
  return { starts, sizes };
}

const many = (count: number, bytes: number) =>
  Array.from({ length: count }, (_, i) => entry(`k${String(i).padStart(7, '0')}`, Buffer.alloc(bytes)));

describe('a chunk', () => {
  test('holds its entries one after the other: lengths, key, value', () => {
    const builder = new ChunkBuilder();
    builder.add(entry('ab', Buffer.of(1, 2, 3)));
    builder.add(entry('c', Buffer.alloc(0)));
    expect(builder.bytes.toString('hex')).toBe(
      `${'0200'}${'03000000'}${'6162'}${'010203'}${'0100'}${'00000000'}${'63'}`,
    );
    expect(builder.entries).toBe(2);
    expect([...entriesOf(builder.bytes)].map(({ key, value }) => [String(key), value.length])).toEqual([
      ['ab', 3],
      ['c', 0],
    ]);
    builder.clear();
    expect([builder.entries, builder.bytes.length]).toEqual([0, 0]);
  });

  test('is refused where a length reaches beyond the chunk', () => {
    for (const hex of ['0200', '020003000000616201', 'ffffffffffff61', '0100ffffffff6100', '010000000000']) {
      expect(() => [...entriesOf(Buffer.from(hex, 'hex'))]).toThrow(
        expect.objectContaining({ name: 'FatalError', code: 'backup-damaged' }),
      );
    }
    expect([...entriesOf(Buffer.alloc(0))]).toEqual([]);
  });

  test('holds one to sixteen mebibytes, about four on average, whatever the size of entries', () => {
    for (const [count, bytes] of [
      [120_000, 520],
      [900_000, 40],
    ] as const) {
      const { sizes } = cut(many(count, bytes));
      const total = count * (6 + 8 + bytes);
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(total);
      for (const size of sizes.slice(0, -1)) {
        expect(size).toBeGreaterThanOrEqual(MIB);
        expect(size).toBeLessThanOrEqual(MAX_CHUNK_BYTES);
      }
      expect(total / sizes.length).toBeGreaterThan(2 * MIB);
      expect(total / sizes.length).toBeLessThan(7 * MIB);
    }
  });

  test('begins at the same entry after changes before it', () => {
    const before = many(60_000, 520);
    const after = [
      ...before.slice(1_000, 5_000),
      entry('k0005000x', Buffer.alloc(9)),
      ...before.slice(5_000),
    ];
    after[40_000] = entry(String(after[40_000]?.key), Buffer.alloc(520, 1));
    const { starts } = cut(before);
    expect(starts.length).toBeGreaterThan(4);
    expect(cut(after).starts.slice(2)).toEqual(starts.slice(2));
  });

  test('ends before an entry without room, and refuses an entry that is too large for any chunk', () => {
    const builder = new ChunkBuilder();
    builder.add(entry('a', Buffer.alloc(10 * MIB)));
    expect(builder.add(entry('b', Buffer.alloc(7 * MIB)))).toBe(false);
    expect(builder.entries).toBe(1);
    builder.clear();
    expect(builder.add(entry('b', Buffer.alloc(MAX_CHUNK_BYTES - 7)))).toBe(true);
    expect(builder.bytes.length).toBe(MAX_CHUNK_BYTES);
    for (const large of [
      entry('b', Buffer.alloc(MAX_CHUNK_BYTES - 6)),
      entry('b'.repeat(65_536), Buffer.alloc(1)),
    ]) {
      expect(() => new ChunkBuilder().add(large)).toThrow(expect.objectContaining({ code: 'backup-entry' }));
    }
  });
});
