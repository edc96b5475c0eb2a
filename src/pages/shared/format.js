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

/** @param {number | null | undefined} at epoch ms; in the reader's own zone */
export function time(at) {
  if (at == null) return UNKNOWN;
  const date = new Date(at);
  const today = date.toDateString() === new Date().toDateString();
  return today ? date.toLocaleTimeString() : date.toLocaleString();
}

/** @param {Readonly<Record<string, number>>} counts */
export function total(counts) {
  return Object.values(counts).reduce((sum, each) => sum + each, 0);
}

/** @param {string} entity */
export function typeOf(entity) {
  return entity.slice(0, entity.indexOf(':'));
}
