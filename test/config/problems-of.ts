/** The lines of the error that the work throws, without the first, which says what was not done; none where it throws nothing. */
export function problemsOf(work: () => unknown): string[] {
  try {
    work();
  } catch (error) {
    return String(error)
      .split('\n')
      .slice(1)
      .map((line) => line.trim());
  }
  return [];
}
