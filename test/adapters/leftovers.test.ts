import { expect, test, vi } from 'vitest';
import { temporaryFolder } from '../../src/adapters/leftovers.ts';

test('a temporary folder that cannot be made is a failure that says what to set', () => {
  vi.stubEnv('TMPDIR', '/proc/nowhere');
  vi.stubEnv('TEMP', '/proc/nowhere');
  try {
    expect(temporaryFolder).toThrow(/no temporary folder can be made: .*\/proc\/nowhere.*; set TMPDIR/);
  } finally {
    vi.unstubAllEnvs();
  }
});
