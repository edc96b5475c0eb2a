/**
 * The first field of a query whose name or value is no percent-encoded UTF-8, such as `%FF`; undefined where all are. A parser
 * that takes such text as it is would read an id that nobody meant. url: path and query.
 */
export function brokenField(url: string): string | undefined {
  const start = url.indexOf('?');
  if (start < 0 || !url.includes('%', start)) return undefined;
  for (const pair of url.slice(start + 1).split('&')) {
    const [name = ''] = pair.split('=', 1);
    if (!isEncoded(pair)) return isEncoded(name) ? decodeURIComponent(name) : name;
  }
  return undefined;
}

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    // The only error of decodeURIComponent: the text is malformed.
    return false;
  }
}
