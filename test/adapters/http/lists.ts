import type { HttpServer } from '../../../src/adapters/http/guarded.ts';
import { type ServingOptions, serveVectors } from '../../../src/adapters/http/serving.ts';
import { Entities } from '../../../src/serve/entities.ts';
import { surfacesOf, type TestGraph } from '../../serve/serve-fixture.ts';

/** A server of the lists of a graph that is read, and of no page; its first entity is the random one. */
export function openLists(graph: TestGraph, options: Partial<ServingOptions> = {}): Promise<HttpServer> {
  return serveVectors({
    ...{ host: '127.0.0.1', port: 0, version: '1', surfaces: surfacesOf(graph), page: new Map() },
    entities: new Entities({ graphs: [graph], random: () => 0 }),
    status: () => [],
    isReady: () => true,
    metrics: { contentType: 'text/plain; version=0.0.4', render: async () => 'twhin_serve_caught_up 1\n' },
    answered: () => undefined,
    failed: () => undefined,
    ...options,
  });
}
