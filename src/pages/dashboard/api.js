// @ts-check

/** @typedef {import('../../adapters/http/status.ts').Status} Status */
/** @typedef {import('../../adapters/http/status.ts').GraphStatus} GraphStatus */
/** @typedef {import('../../adapters/http/status.ts').HistoryView} HistoryView */
/** @typedef {import('../../adapters/http/status.ts').RejectedView} RejectedView */
/** @typedef {import('../../graph/describe-entity.ts').EntityDescription} EntityView */
/** @typedef {import('../../adapters/http/status.ts').MapView} MapView */

/**
 * @param {string} path
 * @param {Record<string, string>} query
 * @returns {Promise<any>} the answer; the cause of an error is the HTTP status
 */
async function ask(path, query) {
  const response = await fetch(`/api/${path}?${new URLSearchParams(query)}`);
  const answer = await response.json();
  if (!response.ok)
    throw new Error(answer.error ?? `the server answers ${response.status}`, { cause: response.status });
  return answer;
}

/** @type {(graph: string, range: string) => Promise<HistoryView>} */
export const history = (graph, range) => ask('history', { graph, range });
/** @type {(graph: string, values: boolean) => Promise<RejectedView>} */
export const rejected = (graph, values) => ask('rejected', { graph, values: values ? 'yes' : 'no' });
/** @type {(graph: string, id: string) => Promise<EntityView>} */
export const entity = (graph, id) => ask('entity', { graph, id });
/** @type {(graph: string) => Promise<MapView>} */
export const map = (graph) => ask('map', { graph });

/**
 * Receives the status every second while the page is open, and reconnects by itself.
 * @param {(status: Status) => void} receive
 * @param {(connected: boolean) => void} connected
 */
export function follow(receive, connected) {
  const stream = new EventSource('/api/stream');
  stream.addEventListener('open', () => connected(true));
  stream.addEventListener('error', () => {
    connected(false);
    // The browser does not reconnect after a refusal by the server.
    if (stream.readyState !== EventSource.CLOSED) return;
    setTimeout(() => follow(receive, connected), 2_000);
  });
  stream.addEventListener('status', ({ data }) => receive(JSON.parse(data)));
}
