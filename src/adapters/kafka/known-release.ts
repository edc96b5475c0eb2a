import { createRequire } from 'node:module';

/** The only release of kafkajs whose insides were read; the dependency is pinned to it. */
const KNOWN_RELEASE = '2.2.4';

/** Whether the kafkajs that is installed is the one that our patches of it were written against. */
export function isKnownRelease(): boolean {
  const { version }: { version: string } = createRequire(import.meta.url)('kafkajs/package.json');
  return version === KNOWN_RELEASE;
}
