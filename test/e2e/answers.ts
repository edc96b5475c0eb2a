import type { HistoryView, Status } from '../../src/adapters/http/status.ts';

/** What a running process answers, as its types say. */
async function answer<T>(url: string, path: string): Promise<T> {
  return (await (await fetch(`${url}${path}`)).json()) as T;
}

export const statusAt = (url: string) => answer<Status>(url, '/api/status');
export const historyAt = (url: string, graph: string) =>
  answer<HistoryView>(url, `/api/history?graph=${graph}`);
