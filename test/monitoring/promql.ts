/** The metrics and labels that an expression names, found without a full parser of PromQL. */
export interface Asked {
  /** Metrics, each with the labels of its matchers. */
  readonly metrics: ReadonlyMap<string, readonly string[]>;
  /** Labels that the expression keeps, drops or joins on. */
  readonly labels: readonly string[];
}

const TOKEN = /"(?:\\.|[^"\\])*"|[a-zA-Z_:][\w:]*|\d[\w.]*|\S/g;
const LABEL_LISTS = ['by', 'without', 'on', 'ignoring', 'group_left', 'group_right'];
const WORDS = ['and', 'or', 'unless', 'bool', 'offset', 'inf', 'nan'];

/** Tokens that follow the name of a function or of an aggregation. */
const CALLS = ['(', 'by', 'without'];

/** The expression must have no comments and no variables of Grafana: see `filled`. */
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

/** The expression of a panel as Grafana sends it with everything chosen. */
export function filled(expr: string): string {
  return expr
    .replaceAll('$__rate_interval', '1m')
    .replaceAll('$__range', '6h')
    .replace(/"\$\w+"/g, '".*"');
}

function isName(token: string): boolean {
  return /^[a-zA-Z_:]/.test(token);
}
