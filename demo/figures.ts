/** Stands for a value that is not measured yet. */
const NOTHING = '–';

/** 1234567 as 1,234,567, rounded to a whole number. */
export function count(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return NOTHING;
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** The number with `digits` digits after the point. */
export function fixed(value: number | undefined, digits: number): string {
  return value === undefined || !Number.isFinite(value) ? NOTHING : value.toFixed(digits);
}

/** A score between 0 and 1 as papers print it: .412. */
export function score(value: number | undefined): string {
  return fixed(value, 3).replace(/^0(?=\.)/, '');
}

/** .0253 as 2.5 %, .63 as 63 %. */
export function percent(share: number): string {
  const value = share * 100;
  return `${value.toFixed(value < 10 ? 1 : 0)} %`;
}

/** Milliseconds in a readable unit: 12 ms, 1.2 s, 34 s. */
export function duration(ms: number | undefined): string {
  if (ms === undefined || !Number.isFinite(ms)) return NOTHING;
  if (ms < 999.5) return `${ms.toFixed(0)} ms`;
  return ms < 9950 ? `${(ms / 1000).toFixed(1)} s` : `${(ms / 1000).toFixed(0)} s`;
}

/** Time as minutes and seconds: 01:05. */
export function clock(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(Math.floor(seconds / 60))}:${two(seconds % 60)}`;
}

/** The text in at most `columns` characters, with an ellipsis if it was cut. */
export function cut(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, columns - 1)}…`;
}
