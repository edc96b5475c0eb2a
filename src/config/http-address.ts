/** Where the HTTP server listens. */
export interface HttpAddress {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

export const HTTP_DEFAULT: HttpAddress = { host: '127.0.0.1', port: 8077 };

/** Reads `host:port`, or `off` for no server. `problems` gets a line with the key for any other text. */
export function readHttpAddress(key: string, text: string, problems: string[]): HttpAddress | 'off' {
  if (text === 'off') return text;
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host !== undefined && port >= 0 && port <= 65_535) return { host, port };
  problems.push(
    `${key}: expected host:port, such as 127.0.0.1:8077 or [::1]:8077, or off, seen ${JSON.stringify(text)}`,
  );
  return 'off';
}
