import type { FastifyInstance } from 'fastify';

/** The files of a page, by path. */
export type PageFiles = ReadonlyMap<string, { readonly type: string; readonly body: Buffer }>;

/** The page may load files of this server only, and no other page may embed the page. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Serves the files of a page as they are. */
export function addPage(server: FastifyInstance, page: PageFiles): void {
  for (const [path, { type, body }] of page) {
    server.get(path, async (_, reply) => {
      return reply
        .headers({ 'content-security-policy': POLICY, 'referrer-policy': 'no-referrer' })
        .type(type)
        .send(body);
    });
  }
}
