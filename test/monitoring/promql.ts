/** What an expression asks for, as far as it can be told without knowing all of PromQL. */
export interface Asked {
  /** Metrics, each with the labels it is matched by. */
  readonly metrics: ReadonlyMap<string, readonly string[]>;
  /** Labels that are kept, dropped or joined on. */
  readonly labels: readonly string[];
}

const TOKEN = /"(?:\\.|[^"\\])*"|[a-zA-Z_:][\w:]*|\d[\w.]*|\S/g;
const LABEL_LISTS = ['by', 'without', 'on', 'ignoring', 'group_left', 'group_right'];
const WORDS = ['and', 'or', 'unless', 'bool', 'offset', 'inf', 'nan'];

/** What follows the name of a function or of an aggregation. */
const CALLS = ['(', 'by', 'without'];

/** Comments and Grafana's variables are to be gone before: see `filled`. */
export function askedFor(expr: string): Asked {
  const tokens: readonly string[] = expr.match(TOKEN) ?? [];
  const metrics = new Map<string, string[]>();
  const labels: string[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] ?? '';
    const next = tokens[at + 1];
    if (!isName(token)) continue;
    if (LABEL_LISTS.includes(token.toLowerCase())) {
      if (next !== '(') continue;
      const end = tokens.indexOf(')', at);
      labels.push(...tokens.slice(at + 2, end).filter(isName));
      at = end;
    } else if (!WORDS.includes(token.toLowerCase()) && !CALLS.includes(next ?? '')) {
      const end = next === '{' ? tokens.indexOf('}', at) : at;
      metrics.set(token, [...(metrics.get(token) ?? []), ...tokens.slice(at + 1, end).filter(isName)]);
      at = end;
    }
  }
  return { metrics, labels };
}

/** An expression of a panel as Grafana sends it where everything is chosen. */
export function filled(expr: string): string {
  return expr
    .replaceAll('$__rate_interval', '1m')
    .replaceAll('$__range', '6h')
    .replace(/"\$\w+"/g, '".*"');
}

function isName(token: string): boolean {
  return /^[a-zA-Z_:]/.test(token);
}
