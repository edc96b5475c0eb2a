import { InvalidArgumentError } from 'commander';
import { type HttpAddress, readHttpAddress } from '../config/environment.ts';
import { UsageError } from '../errors/errors.ts';
import { durationMs } from '../replay/bound.ts';

export const JSON_HELP = 'print one JSON object on stdout';
export const GRAPHS_HELP = 'only this graph, or this shard, such as engagement-3; may be repeated';
export const WHOLE_GRAPHS_HELP = 'only this graph; may be repeated';

/** The last part of a help text: what there is to know, and examples. */
export function example(lines: string, about = ''): string {
  return `${about}${about && '\n'}\nExample:\n  ${lines.split('\n').join('\n  ')}`;
}

/** Gathers an option that may be repeated. */
export function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

export function positiveNumber(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('expected a number above 0');
  return value;
}

/** Reads a whole number within bounds. */
export function wholeNumber(from: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isSafeInteger(value) && value >= from && value <= most) return value;
    const to = most === Number.MAX_SAFE_INTEGER ? 'or more' : `to ${most}`;
    throw new InvalidArgumentError(`expected a whole number, ${from} ${to}`);
  };
}

export const positiveInteger = wholeNumber(1);

/** The address after `--http`. @throws UsageError. */
export function httpOption(text: string): HttpAddress | 'off' {
  const problems: string[] = [];
  const address = readHttpAddress('--http', text, problems);
  if (problems.length > 0) throw new UsageError(problems.join('\n'));
  return address;
}

/** Milliseconds of a duration such as 30s. */
export function durationOption(text: string): number {
  const ms = durationMs(text);
  if (ms === undefined) throw new InvalidArgumentError('expected a duration such as 30s, 5m or 2h');
  return ms;
}
