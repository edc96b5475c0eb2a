import { InvalidArgumentError } from 'commander';

/** More than any topic has: a typing error such as 0-99999999 asks for no list of that length. */
const MOST = 10_000;

/** The numbers of `0-3` or `0,2,5-7`, ascending, each once. @throws InvalidArgumentError for any other text. */
export function partitionsOption(text: string): readonly number[] {
  const partitions = new Set<number>();
  for (const part of text.split(',')) {
    const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part.trim()) ?? [];
    const [from, until] = [Number(first), Number(last)];
    if (!(from <= until && until < MOST))
      throw new InvalidArgumentError(
        `expected numbers of partitions such as 0-3 or 0,2,5-7, seen ${JSON.stringify(part)}`,
      );
    for (let partition = from; partition <= until; partition++) partitions.add(partition);
  }
  return [...partitions].sort((a, b) => a - b);
}
