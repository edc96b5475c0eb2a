import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { shop } from '../../e2e/deployed.ts';
import { own, place, refused, succeeded } from '../captured.ts';
import { filledPlace } from '../filled-place.ts';

test('twhin candidates takes the place of no socket, device or folder, and reads nothing before it says so', async () => {
  const here = await own(filledPlace());
  const path = join(here.folder, 'socket');
  const server = createServer().listen(path);
  await once(server, 'listening');
  for (const out of [path, here.folder])
    await refused(here.run('candidates', '--surface', 'home', '--out', out), 2, `--out: ${out} is no file`);
  expect((await stat(path)).isSocket()).toBe(true);
  server.close();
});

test('twhin candidates fails, and says why, where there is no list to make', async () => {
  const here = await own(place());
  const file = async (name: string, content: string) => {
    await writeFile(join(here.folder, name), content);
    return join(here.folder, name);
  };
  const surface = `{ from: ['customer', 'session'], to: 'product', relations: ['buys'], leaveOut: ['buys'] }`;
  const config = `${shop('orders', 'web.views')} surfaces: { products: ${surface} },`;
  await file('twhin.config.ts', `export default (k) => ({ ${config} });\n`);
  await succeeded(here.run('topics', 'apply', '--create', 'orders', '--create', 'web.views'));
  const out = join(here.folder, 'none.ndjson');
  const empty = await file('empty.txt', '\n\n');
  const long = await file('long.txt', `a1\n${'x'.repeat(300)}\n`);
  for (const [asked, code, reason] of [
    // Nothing was ever published.
    ['--from customer --to product', 1, 'no customer has a vector in the graph shop'],
    [
      '--from customer --to products',
      2,
      'no relation from customer to products; customer leads to product (buys, views)',
    ],
    ['--from user --to product', 2, 'expected TYPE:ID of customer, product, session'],
    ['--surface home', 2, 'expected one of products'],
    ['--surface products', 2, '--from: expected one of customer, session for the surface products'],
    ['', 2, 'expected --from TYPE and --to TYPE'],
    [`--from customer --to product --ids ${empty}`, 1, 'names no customer'],
    [`--from customer --to product --ids ${long}`, 2, 'long.txt, line 2: id of 300 bytes'],
  ] as const) {
    const args = asked.split(' ').filter((each) => each !== '');
    const { err, out: said } = await refused(here.run('candidates', ...args, '--out', out), code);
    expect([asked, err.at(-1), said]).toEqual([asked, expect.stringContaining(reason), []]);
  }
  expect(existsSync(out)).toBe(false);
});
