/** 1234567 as 1,234,567. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

export function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, each) => sum + each, 0);
}

/** A time span in the largest unit that fits: 4.2 s, 53 s, 12 min, 3.4 h. */
export function duration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** What vectors are as of: `step 1,234, 12 s ago`. at: epoch ms; undefined: there are none yet. */
export function asOf({ step, at }: { readonly step: number; readonly at: number | undefined }): string {
  return at === undefined ? `step ${count(step)}` : `step ${count(step)}, ${duration(Date.now() - at)} ago`;
}

/** Counts by name: 40 user, 1,017 tweet. */
export function named(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([name, n]) => `${count(n)} ${name}`)
    .join(', ');
}

/** Their sum, and counts by name: 1,057: 40 user, 1,017 tweet. */
export function listed(counts: Readonly<Record<string, number>>): string {
  return Object.keys(counts).length === 0 ? '0' : `${count(total(counts))}: ${named(counts)}`;
}
