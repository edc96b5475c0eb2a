import { reasonOf } from '../../errors/errors.ts';
import { guardedServer, type HttpServer, listen } from './guarded.ts';
import { type Answers, addRoutes, ROUTES } from './routes.ts';
import { StatusStream } from './stream.ts';

const LIMITS = {
  bodyBytes: 1024,
  /** Enough for probes, a scraper and a few open pages. */
  requests: 1_200,
  elsewhere: '--http HOST:PORT or TWHIN_HTTP, or --http off',
};

export interface HttpOptions extends Answers {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Takes each failure to answer. */
  failed(path: string, reason: string): void;
}

/** Serves the dashboard, health, readiness, metrics and status, read-only. @throws FatalError `http-listen` when the address can't be used. */
export async function serveHttp(options: HttpOptions): Promise<HttpServer> {
  const guard = { ...options, ...LIMITS, paths: ROUTES };
  const server = await guardedServer(guard);
  const stream = new StatusStream(options.status, (reason) =>
    options.failed('/api/stream', reasonOf(reason)),
  );
  addRoutes(server, options, stream);
  return listen(server, guard, () => stream.stop());
}
