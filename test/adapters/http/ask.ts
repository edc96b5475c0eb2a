import { request } from 'node:http';

interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
}

export interface Replied {
  readonly status: number | undefined;
  readonly headers: Record<string, unknown>;
  readonly text: string;
  readonly json: unknown;
}

/** A request with any method, path and Host header, which fetch does not allow. */
export function ask(url: string, path: string, asked: Asked = {}): Promise<Replied> {
  const { body, method = 'GET', headers = {} } = asked;
  return new Promise((resolve, reject) => {
    const sent = request(`${url}/`, { method, headers, path }, (reply) => {
      let text = '';
      reply.on('data', (part) => {
        text += String(part);
      });
      reply.on('end', () => {
        const isJson = String(reply.headers['content-type']).includes('json') && text !== '';
        const json: unknown = isJson ? JSON.parse(text) : undefined;
        resolve({ status: reply.statusCode, headers: reply.headers, text, json });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
