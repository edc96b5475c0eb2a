import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TextIndex } from '../../src/serve/text-index.ts';

const indexOf = (texts: readonly string[], most?: number): TextIndex => {
  const index = new TextIndex(most);
  for (const text of texts) index.set(text);
  return index;
};
const near = (index: TextIndex, text: string, count = 3, least = 0.2): string[] =>
  index.nearest(text, count, least).map((each) => each.text);

const SUBJECTS = ['jazz', 'cycling', 'chess', 'baking', 'football'];
const ASPECTS = ['news', 'for beginners', 'near me', 'podcast'];
const QUERIES = SUBJECTS.flatMap((subject) => ASPECTS.map((aspect) => `${subject} ${aspect}`));

/** The measure by its definition, over all texts. */
function plain(texts: readonly string[], asked: string): { text: string; alike: number }[] {
  const parts = (text: string) =>
    new Set(Array.from({ length: text.length }, (_, i) => ` ${text} `.slice(i, i + 3)));
  const weight = (part: string) =>
    Math.log(1 + texts.length / (1 + texts.filter((text) => parts(text).has(part)).length));
  const sum = (of: Iterable<string>) => [...of].reduce((total, part) => total + weight(part) ** 2, 0);
  return texts
    .map((text) => {
      const common = sum([...parts(text)].filter((part) => parts(asked).has(part)));
      return { text, alike: common === 0 ? 0 : common / Math.sqrt(sum(parts(text)) * sum(parts(asked))) };
    })
    .filter(({ alike }) => alike > 0);
}

describe('TextIndex', () => {
  it('of texts that share as much compares the first ones by name, whenever they came', () => {
    const texts = Array.from({ length: 80 }, (_, i) => `jazz ${String.fromCodePoint(0x4e00 + i)}`);
    const index = indexOf(texts.toReversed());
    expect(near(index, 'jazz', 100, 0.01)).toEqual(texts.slice(0, 64));
  });

  it('finds what shares the rare parts, not the common ones', () => {
    const index = indexOf(QUERIES);
    expect(near(index, 'jazz tickets').every((text) => text.startsWith('jazz '))).toBe(true);
    expect(near(index, 'jaz podcasts')[0]).toBe('jazz podcast');
    expect(near(index, 'chess near me')[0]).toBe('chess near me');
    // What is the same in a text of each subject says nothing of the subject.
    expect(near(index, 'xylophone')).toEqual([]);
    expect(near(index, '')).toEqual([]);
    expect(near(index, '猫')).toEqual([]);
    index.set('猫');
    expect(near(index, '猫 の')).toEqual(['猫']);
  });

  it('measures as its definition says, whatever was set, set again and deleted', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', ' '), minLength: 1, maxLength: 6 });
    const step = fc.tuple(text, fc.boolean());
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), text, (steps, asked) => {
        const index = new TextIndex();
        const texts = new Set<string>();
        for (const [each, set] of steps) {
          if (set) texts.add(each);
          else texts.delete(each);
          if (set) index.set(each);
          else index.delete(each);
        }
        const expected = plain([...texts], asked).sort(
          (a, b) => b.alike - a.alike || (a.text < b.text ? -1 : 1),
        );
        const found = index.nearest(asked, 100, Number.MIN_VALUE);
        expect(found.map((each) => each.text).sort()).toEqual(expected.map((each) => each.text).sort());
        for (const { text: name, alike } of found)
          expect(alike).toBeCloseTo(expected.find((each) => each.text === name)!.alike, 12);
        expect(index.size).toBe(texts.size);
      }),
    );
  });

  it('forgets the text that was set the longest ago', () => {
    const index = indexOf(['jazz news', 'chess news', 'jazz news', 'opera news'], 2);
    expect([index.size, near(index, 'chess', 1), near(index, 'jazz', 1), near(index, 'opera', 1)]).toEqual([
      ...[2, [], ['jazz news'], ['opera news']],
    ]);
  });

  it('holds no more places than its texts have, however often these come and go', () => {
    const index = new TextIndex(10);
    for (let i = 0; i < 3_000; i++) index.set(`query number ${i}`);
    index.set('jazz news');
    expect([index.size, near(index, 'jazz', 5)]).toEqual([10, ['jazz news']]);
    expect(index.nearest('query number 2999', 1, 0.2)).toEqual([{ text: 'query number 2999', alike: 1 }]);
    expect(index.places).toBeLessThan(10_000);
  });

  it('tidies no more at once than the places of one text’s parts', () => {
    const index = new TextIndex(5_000);
    let most = 0;
    for (let i = 0; i < 15_000; i++) {
      const before = index.places;
      index.set(
        String.fromCharCode(...[i % 26, Math.floor(i / 26) % 26, Math.floor(i / 676)].map((n) => 97 + n)),
      );
      most = Math.max(most, before - index.places);
    }
    // Each part is in 26 texts at most.
    expect(most).toBeLessThan(100);
    expect(index.places).toBeLessThan(2 * 3 * 5_000 + 100);
  });
});
