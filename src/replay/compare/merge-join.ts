/** What two ordered sequences hold at one place: either or both. */
export interface Joined<T> {
  readonly a: T | undefined;
  readonly b: T | undefined;
}

/**
 * Walks two ascending sequences side by side and pairs what is equal. Each holds a thing once.
 * order: below 0 where `x` comes first, 0 where they are the same thing.
 */
export async function* mergeJoin<T>(
  as: AsyncIterable<T>,
  bs: AsyncIterable<T>,
  order: (x: T, y: T) => number,
): AsyncIterable<Joined<T>> {
  const [left, right] = [as[Symbol.asyncIterator](), bs[Symbol.asyncIterator]()];
  try {
    let [a, b] = [await next(left), await next(right)];
    while (a !== undefined || b !== undefined) {
      const ordered = a === undefined ? 1 : b === undefined ? -1 : order(a, b);
      yield { a: ordered <= 0 ? a : undefined, b: ordered >= 0 ? b : undefined };
      if (ordered <= 0) a = await next(left);
      if (ordered >= 0) b = await next(right);
    }
  } finally {
    await left.return?.();
    await right.return?.();
  }
}

async function next<T>(iterator: AsyncIterator<T>): Promise<T | undefined> {
  const result = await iterator.next();
  return result.done === true ? undefined : result.value;
}
