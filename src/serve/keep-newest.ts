/** Forgets the first entries, until no more than `most` are left. */
export function keepNewest(entries: Map<unknown, unknown>, most: number): void {
  for (const first of entries.keys()) {
    if (entries.size <= most) return;
    entries.delete(first);
  }
}
