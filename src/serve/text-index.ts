/** Most texts that are held; the one that was set the longest ago is forgotten first. */
const MOST_TEXTS = 200_000;
/** Places of texts that a question looks at, the rarest parts first: what is common to many texts tells little. */
const MOST_LOOKED = 20_000;
/** So many of the texts that share most are compared in full. */
const COMPARED = 64;

/** A text, and how alike it is to the one that was asked for: 1 for the same parts, 0 for none in common. */
export interface AlikeText {
  readonly text: string;
  readonly alike: number;
}

/** A trigram that is asked for, and how much it tells. */
type WeighedTrigram = readonly [trigram: string, weight: number];

/** A text, and how much those of its trigrams tell together that it shares with the one that was asked for. */
interface SharingText {
  readonly text: string;
  readonly shared: number;
}

/**
 * Finds texts that are like another: they share trigrams, of which a rare one counts more than a common one. Trigrams
 * forgive endings and typing errors, and need no spaces between words. Bounded in texts, and in work for a question.
 */
export class TextIndex {
  readonly #most: number;
  /** By text: its number. The text that was set last is last. */
  readonly #numbers = new Map<string, number>();
  /** By number. Numbers only rise. */
  readonly #texts = new Map<number, string>();
  readonly #places = new Map<string, Places>();
  #next = 0;
  #placed = 0;

  constructor(most = MOST_TEXTS) {
    this.#most = most;
  }

  get size(): number {
    return this.#numbers.size;
  }

  /** Places of all trigrams, which take the memory. */
  get places(): number {
    return this.#placed;
  }

  set(text: string): void {
    const number = this.#numbers.get(text) ?? this.#place(text);
    this.#numbers.delete(text);
    this.#numbers.set(text, number);
    if (this.#numbers.size <= this.#most) return;
    for (const first of this.#numbers.keys()) {
      this.delete(first);
      return;
    }
  }

  delete(text: string): void {
    const number = this.#numbers.get(text);
    if (number === undefined) return;
    this.#numbers.delete(text);
    this.#texts.delete(number);
    for (const trigram of trigramsOf(text)) this.#tidy(trigram);
  }

  /**
   * The texts most alike, most alike first; of those as alike, in the order of the texts. least: above 0, how alike a text
   * has to be. The measure: the cosine of the two texts, each as a vector of its trigrams with log(1 + texts / (1 + texts with it))
   * for each (tf-idf, where a trigram that comes twice counts once).
   */
  nearest(text: string, count: number, least: number): AlikeText[] {
    const weightOf = (trigram: string) => this.#weight(trigram);
    const sharing = this.#sharing([...trigramsOf(text)].map((trigram) => [trigram, weightOf(trigram)]));
    const texts = sharing.map((each) => each.text);
    return mostAlike(text, texts, weightOf, count, least);
  }

  /** The texts that share most of the trigrams, as far as these are looked at: see `MOST_LOOKED`. */
  #sharing(trigrams: readonly WeighedTrigram[]): SharingText[] {
    const shared = new Map<number, number>();
    let looked = 0;
    for (const [trigram, weight] of [...trigrams].sort((a, b) => b[1] - a[1])) {
      const numbers = this.#places.get(trigram)?.numbers ?? [];
      looked += numbers.length;
      if (looked > MOST_LOOKED && shared.size > 0) break;
      for (const number of numbers.slice(-MOST_LOOKED))
        if (this.#texts.has(number)) shared.set(number, (shared.get(number) ?? 0) + weight);
    }
    return mostSharing([...shared].map(([number, sum]) => ({ text: this.#texts.get(number)!, shared: sum })));
  }

  #weight(trigram: string): number {
    return trigramWeight(this.size, this.#count(trigram));
  }

  #count(trigram: string): number {
    const places = this.#places.get(trigram);
    return places === undefined ? 0 : places.numbers.length - places.gone;
  }

  #place(text: string): number {
    const number = this.#next++;
    this.#texts.set(number, text);
    for (const trigram of trigramsOf(text)) {
      const places = this.#places.get(trigram);
      if (places === undefined) this.#places.set(trigram, { numbers: [number], gone: 0 });
      else places.numbers.push(number);
      this.#placed++;
    }
    return number;
  }

  /**
   * A text with the trigram is gone. Its places are tidied once half of them are of such texts: to tidy those of all trigrams
   * at once would hold up what waits.
   */
  #tidy(trigram: string): void {
    const places = this.#places.get(trigram);
    if (places === undefined) return;
    places.gone++;
    const { length } = places.numbers;
    if (2 * places.gone <= length) return;
    places.numbers = places.numbers.filter((number) => this.#texts.has(number));
    places.gone = 0;
    this.#placed -= length - places.numbers.length;
    if (places.numbers.length === 0) this.#places.delete(trigram);
  }
}

/** How much a trigram tells that so many of the texts have: the square of the inverse frequency, as each of two texts has it once. */
function trigramWeight(texts: number, having: number): number {
  return Math.log1p(texts / (1 + having)) ** 2;
}

/** The first of the texts that share most; of those that share as much, in the order of the texts. */
function mostSharing(texts: SharingText[]): SharingText[] {
  return texts.sort((a, b) => b.shared - a.shared || (a.text < b.text ? -1 : 1)).slice(0, COMPARED);
}

/** As `TextIndex.nearest`, among some texts. */
function mostAlike(
  asked: string,
  texts: readonly string[],
  weightOf: (trigram: string) => number,
  count: number,
  least: number,
): AlikeText[] {
  const sum = (trigrams: ReadonlySet<string>) =>
    [...trigrams].reduce((total, trigram) => total + weightOf(trigram), 0);
  const a = trigramsOf(asked);
  const alike = texts.map((text) => {
    const b = trigramsOf(text);
    const common = sum(a.intersection(b));
    return { text, alike: common === 0 ? 0 : common / Math.sqrt(sum(a) * sum(b)) };
  });
  return alike
    .filter((each) => each.alike >= least)
    .sort((x, y) => y.alike - x.alike || (x.text < y.text ? -1 : 1))
    .slice(0, count);
}

/** Where a trigram is. */
interface Places {
  /** Of the texts that have it, ascending; those of texts that are gone included. */
  numbers: number[];
  /** How many of them are of texts that are gone. */
  gone: number;
}

/** The parts of three characters of a text with a space before and behind. */
function trigramsOf(text: string): Set<string> {
  const padded = ` ${text} `;
  const found = new Set<string>();
  for (let i = 0; i + 3 <= padded.length; i++) found.add(padded.slice(i, i + 3));
  return found;
}
