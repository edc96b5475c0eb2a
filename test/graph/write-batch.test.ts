import { describe, expect, test } from 'vitest';
import { WriteBatch } from '../../src/graph/write-batch.ts';

/** What a batch hands over: texts, and the views that it lent. */
async function handed(batch: WriteBatch) {
  const said: string[] = [];
  const views = new Set<Uint8Array>();
  await batch.each({
    tryPut: (key, value) => {
      said.push(`${Buffer.from(key)}=${Buffer.from(value)}`);
      views.add(key).add(value);
    },
    tryDelete: (key) => {
      said.push(`-${Buffer.from(key)}`);
      views.add(key);
    },
  });
  return { said, views };
}

const bytes = (text: string) => Buffer.from(text);

describe('WriteBatch', () => {
  test('keeps what it was given while it grows, whatever its size', async () => {
    const batch = new WriteBatch();
    const large = 'x'.repeat(300_000);
    const expected: string[] = [];
    for (let i = 0; i < 3_000; i++) {
      const key = `key ${String(i).padStart(5, '0')}`;
      batch.put(bytes(key), bytes(i === 100 ? large : `value ${i}`));
      expected.push(`${key}=${i === 100 ? large : `value ${i}`}`);
    }
    batch.delete(bytes('key 00007'));
    batch.put(bytes('k'), bytes(''));
    const { said } = await handed(batch);
    expect(said.sort()).toEqual([...expected, '-key 00007', 'k='].sort());
  });

  test('uses the memory and the views of a batch before, once it is cleared', async () => {
    const batch = new WriteBatch();
    const fill = (from: number) => {
      for (let i = 0; i < 2_000; i++)
        batch.put(bytes(`key ${String((from + 7 * i) % 5_000).padStart(5, '0')}`), bytes(`${i % 10}`));
    };
    fill(0);
    const first = await handed(batch);
    const before = batch.bytes;
    for (const from of [3, 1_111, 17, 1_999, 29]) {
      batch.clear();
      expect(batch.size).toBe(0);
      fill(from);
      const again = await handed(batch);
      expect(again.said).not.toEqual(first.said);
      expect(again.said).toHaveLength(2_000);
      expect(again.views.difference(first.views).size).toBe(0);
      expect(batch.bytes).toBe(before);
    }
  });
});
