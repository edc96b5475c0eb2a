import type { Merged } from '../../serve/merged.ts';
import { guardedServer, type HttpServer, listen } from './guarded.ts';
import { addLists, addProbes, LISTS_GUARD, type ServingOptions } from './serving.ts';
import { MERGED_PATHS, openApi, SERVING_PATHS } from './serving-schema.ts';

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
  for (const path of Object.keys(SERVING_PATHS)) {
    if (Object.hasOwn(MERGED_PATHS, path)) continue;
    const error = `a process that merges lists does not answer at ${path}: ask a twhin serve that holds all vectors`;
    server.get(path, (_, reply) => reply.code(404).send({ error, paths: MERGED_PATHS }));
  }
  return listen(server, guard);
}
