import { isIPv4 } from 'node:net';

/** Whether a host, an address without brackets or a name, is always this machine. */
export function isLoopback(host: string): boolean {
  return host === '::1' || host.toLowerCase() === 'localhost' || (isIPv4(host) && host.startsWith('127.'));
}

/** The host in a `Host` header, without port and brackets; empty where it is none. */
export function hostOf(header: string): string {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(header) ?? [];
  return bracketed ?? plain ?? '';
}
