import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { type Place, place } from '../captured.ts';

let here: Place | undefined;
afterEach(() => here?.remove());

test('twhin route refuses a graph that is not routed, and says which setting routes it', async () => {
  here = await place({ KAFKA_BROKERS: '127.0.0.1:9' });
  const none = await here.run('route', '--http', 'off');
  expect([none.code, none.err.join('\n')]).toEqual([2, expect.stringContaining('routed: true')]);
  expect(none.err.join('\n')).toContain('there is none');
  await writeFile(
    join(here.folder, 'routed.config.ts'),
    'export default { graphs: { engagement: { shards: 2, routed: true }, follow: {} } };\n',
  );
  const routed = here.configured('routed.config.ts');
  const other = await routed('route', '--graph', 'follow', '--http', 'off');
  expect([other.code, other.err.join('\n')]).toEqual([2, expect.stringContaining('seen follow')]);
  const address = await routed('route', '--http', 'nonsense');
  expect([address.code, address.err.join('\n')]).toEqual([2, expect.stringContaining('--http')]);
});

test('twhin route says what it is for, how to ask it how it is, and gives examples', async () => {
  here = await place();
  const help = (await here.run('route', '--help')).out.join('\n');
  for (const part of ['--create-topics', '--http <host:port>', '/readyz', 'twhin route --graph engagement'])
    expect(help).toContain(part);
});
