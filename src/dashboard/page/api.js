// @ts-check

/** @typedef {import('../../adapters/http/status.ts').Status} Status */
/** @typedef {import('../../adapters/http/status.ts').GraphStatus} GraphStatus */
/** @typedef {import('../../adapters/http/views.ts').HistoryView} HistoryView */
/** @typedef {import('../../adapters/http/views.ts').RejectedView} RejectedView */
/** @typedef {import('../../adapters/http/views.ts').EntityView} EntityView */
/** @typedef {import('../../adapters/http/views.ts').MapView} MapView */
/** @typedef {import('../../adapters/http/views.ts').ReplaysView} ReplaysView */

/**
 * @param {string} path
 * @param {Record<string, string>} query
 * @returns {Promise<any>} the answer; where it is refused, the error's cause is the status
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
/** @type {(graph: string) => Promise<ReplaysView>} */
export const replays = (graph) => ask('replays', { graph });

/**
 * The status every second, for as long as the page is open. A broken connection is taken up again by itself.
 * @param {(status: Status) => void} told
 * @param {(connected: boolean) => void} connected
 */
export function follow(told, connected) {
  const stream = new EventSource('/api/stream');
  stream.addEventListener('open', () => connected(true));
  stream.addEventListener('error', () => {
    connected(false);
    // One that the server refused outright is not tried again by the browser.
    if (stream.readyState !== EventSource.CLOSED) return;
    setTimeout(() => follow(told, connected), 2_000);
  });
  stream.addEventListener('status', ({ data }) => told(JSON.parse(data)));
}
