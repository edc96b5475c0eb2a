import type { Merged } from '../../serve/merged.ts';
import { guardedServer, type HttpServer, listen } from './guarded.ts';
import { addPage } from './page.ts';
import { addLists, addProbes, addUsers, LISTS_GUARD, type ServingOptions } from './serving.ts';
import { openApi, SERVING_PATHS } from './serving-schema.ts';

export interface MergingOptions
  extends Pick<ServingOptions, 'host' | 'port' | 'page' | 'metrics' | 'answered' | 'version' | 'failed'> {
  readonly merged: Merged;
}

/** Serves lists that are merged from several processes. @throws FatalError `http-listen` when the address can't be used. */
export async function serveMerged(options: MergingOptions): Promise<HttpServer> {
  const { merged } = options;
  const guard = { ...options, ...LISTS_GUARD, paths: SERVING_PATHS };
  const server = await guardedServer(guard);
  const { version } = options;
  const shards = () => merged.shards.reports().map(({ since, ...of }) => ({ ...of, since: new Date(since) }));
  addProbes(server, {
    ...options,
    unready: () => merged.shards.unready(),
    api: openApi(version, 'merged'),
    more: () => ({ shards: shards() }),
  });
  // Not ready is no reason to refuse: what shards there are answer, and the answer says that it is partial.
  addLists(server, merged, {});
  addUsers(server, merged, {});
  server.get('/v1/status', () => {
    const reasons = merged.shards.unready();
    const graphs = merged.shards.status();
    return { version, ready: reasons.length === 0, reasons, graphs, actions: [], shards: shards() };
  });
  addPage(server, options.page);
  return listen(server, guard);
}
