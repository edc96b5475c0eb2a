import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { own, type Place, place } from './captured.ts';

let here: Place;
let state = '';
beforeEach(async () => {
  here = await own(place());
  state = join(here.folder, 'state');
});

const LOOKS: readonly (readonly string[])[] = [
  ['stats'],
  ['stats', '--digest'],
  ['stats', '--graph', 'follow'],
  ['check'],
  ['check', '--graph', 'follow'],
  ['show', 'user:1'],
  ['export', '--graph', 'follow', '--out', 'vectors'],
  ['backup', 'backups'],
  ['backup', 'backups', '--graph', 'follow'],
];
const JSON_TOO = LOOKS.filter(([command]) => command !== 'export').map((argv) => [...argv, '--json']);

/** Where every graph would look new and well, or healthy. */
describe('a command that shows stores fails in the wrong folder', () => {
  test.each([...LOOKS, ...JSON_TOO])('twhin %s %s %s %s', async (...argv) => {
    const asked = argv.filter((word) => word !== undefined);
    const graphs = asked.includes('follow') ? 'follow' : 'engagement, follow';
    const absent = await here.run(...asked);
    expect(absent).toEqual({
      code: 1,
      log: [],
      out: [],
      err: [
        `twhin: [store-missing] there is no store of ${graphs} in the state folder ${state}, which does not exist; set TWHIN_STATE to ` +
          'the folder that holds the stores, or make them with: twhin run',
      ],
    });
    await mkdir(join(state, 'something'), { recursive: true });
    await writeFile(join(state, 'something', 'else'), '');
    const empty = await here.run(...asked);
    expect([empty.code, empty.out]).toEqual([1, []]);
    expect(empty.err).toEqual([
      expect.stringContaining(`there is no store of ${graphs} in the state folder ${state}; set TWHIN_STATE`),
    ]);
  });
});
