import { InvalidArgumentError } from 'commander';
import { durationMs } from '../../replay/bound.ts';

/** A deadline beyond this is none: the server gives up on requests that take longer. */
const MOST_MS = 10_000;

/** The URLs of `http://a:8079,http://b:8079`. @throws InvalidArgumentError for any other text. */
export function shardsOption(text: string): readonly string[] {
  const urls = text.split(',').map(urlOf);
  const twice = urls.find((url, i) => urls.indexOf(url) !== i);
  if (twice !== undefined) throw new InvalidArgumentError(`${twice} is given twice`);
  return urls;
}

/** Milliseconds of `100ms` or `0.5s`. @throws InvalidArgumentError for any other text. */
export function deadlineOption(text: string): number {
  const [, digits] = /^(\d{1,6})ms$/.exec(text) ?? [];
  const ms = digits === undefined ? durationMs(text) : Number(digits);
  if (ms === undefined || ms < 1 || ms > MOST_MS)
    throw new InvalidArgumentError(
      `expected a time from 1ms to ${MOST_MS / 1000}s, seen ${JSON.stringify(text)}`,
    );
  return ms;
}

function urlOf(text: string): string {
  const url = URL.parse(text.trim());
  const bare = url?.pathname === '/' && url.search === '' && url.hash === '' && url.username === '';
  if (url === null || url.protocol !== 'http:' || !bare)
    throw new InvalidArgumentError(
      `expected http://host:port of each process, with commas between them, seen ${JSON.stringify(text)}`,
    );
  return url.origin;
}
