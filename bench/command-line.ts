import { existsSync } from 'node:fs';
import { basename } from 'node:path';

/** What was typed to get this result, paths by their last part. script: of package.json. */
export function commandLine(script: string): string {
  const args = process.argv.slice(2).map((arg) => (existsSync(arg) ? basename(arg) : arg));
  return ['npm run -s', script, ...(args.length > 0 ? ['--', ...args] : [])].join(' ');
}
