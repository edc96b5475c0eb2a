// @ts-check

const UNKNOWN = '–';

/** @param {number | null | undefined} value */
export function count(value) {
  return value == null ? UNKNOWN : Math.round(value).toLocaleString('en-US');
}

/** @param {number | null | undefined} value */
export function rate(value) {
  return value == null ? UNKNOWN : `${value >= 100 ? count(value) : value.toFixed(1)}/s`;
}

/** @param {number | null | undefined} value a share or a mean reciprocal rank, to three digits */
export function share(value) {
  return value == null ? UNKNOWN : value.toFixed(3);
}

/** @param {number | null | undefined} ms */
export function span(ms) {
  if (ms == null) return UNKNOWN;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${(ms / 60_000).toFixed(1)} min`;
  if (ms < 86_400_000) return `${(ms / 3_600_000).toFixed(1)} h`;
  return `${(ms / 86_400_000).toFixed(1)} d`;
}

/** @param {number | null | undefined} value */
export function seconds(value) {
  return span(value == null ? value : value * 1_000);
}

/** @param {number | null | undefined} value */
export function bytes(value) {
  if (value == null) return UNKNOWN;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let left = value;
  while (left >= 1024 && unit < units.length - 1) {
    left /= 1024;
    unit++;
  }
  return `${left >= 100 || unit === 0 ? Math.round(left) : left.toFixed(1)} ${units[unit]}`;
}

/** @param {number | null | undefined} at epoch ms; without the date if that is today's, without the second if not */
export function time(at) {
  if (at == null) return UNKNOWN;
  const text = iso(at);
  return text.slice(0, 10) === iso(Date.now()).slice(0, 10) ? text.slice(11) : text.slice(0, 16);
}

/** As 2026-12-03 14:44:19, in the reader's own zone. @param {number} at epoch ms */
export function iso(at) {
  return new Date(at).toLocaleString('sv-SE');
}

/** A text with separators in its whole numbers. Numbers in names, ids and addresses stay. @param {string} text */
export function separated(text) {
  return text.replaceAll(/(?<=^|[\s(])\d{4,15}(?=[\s,;:.)]|$)/g, (number) => count(Number(number)));
}

const DECIMAL = Array.from({ length: 36 }, (_, i) => Number(`${'125'[i % 3]}e${Math.floor(i / 3)}`));
const SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200];
const SPANS = [
  ...DECIMAL.slice(0, 9),
  ...SECONDS.map((s) => 1_000 * s),
  ...DECIMAL.map((d) => 86_400_000 * d),
];

/** Possible distances between two ticks of an axis, by the format of its values. No two labels of an axis are equal. */
export const STEPS = new Map([
  [count, DECIMAL],
  [rate, DECIMAL.map((each) => each / 10)],
  [share, DECIMAL.map((each) => each / 1_000)],
  [span, SPANS],
  [seconds, SPANS.map((ms) => ms / 1_000)],
  [bytes, Array.from({ length: 50 }, (_, i) => 2 ** i)],
]);

/** @param {Readonly<Record<string, number>>} counts */
export function total(counts) {
  return Object.values(counts).reduce((sum, each) => sum + each, 0);
}

/** @param {string} entity */
export function typeOf(entity) {
  return entity.slice(0, entity.indexOf(':'));
}
