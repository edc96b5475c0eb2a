import type { Merged } from '../../serve/merged.ts';
import { guardedServer, type HttpServer, listen } from './guarded.ts';
import { addLists, addProbes, LISTS_GUARD, MERGED_PATHS, openApi, type ServingOptions } from './serving.ts';

export interface MergingOptions
  extends Pick<ServingOptions, 'host' | 'port' | 'metrics' | 'answered' | 'version' | 'failed'> {
  readonly merged: Merged;
}

/** Serves lists that are merged from several processes. @throws FatalError `http-listen` when the address can't be used. */
export async function serveMerged(options: MergingOptions): Promise<HttpServer> {
  const { merged } = options;
  const guard = { ...options, ...LISTS_GUARD, paths: MERGED_PATHS };
  const server = await guardedServer(guard);
  addProbes(server, { ...options, unready: () => merged.unready(), api: openApi(options.version, 'merged') });
  // Not ready is no reason to refuse: what shards there are answer, and the answer says that it is partial.
  addLists(server, merged, {});
  return listen(server, guard);
}
