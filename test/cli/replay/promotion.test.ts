import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { terminal } from '../../../src/cli/output.ts';
import { promotionMade } from '../../../src/cli/replay/promotion.ts';
import { realWorld } from '../../../src/cli/surroundings.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { FatalError } from '../../../src/errors/errors.ts';
import { silentLog } from '../../../src/log.ts';
import { placeOf } from '../../../src/state/places.ts';

test('a live store that this user may not open is no damaged one: nothing changes, and no wish is left', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'twhin-promotion-'));
  try {
    const config = await loadConfig({ TWHIN_STATE: folder }, folder);
    const graph = config.graphs.find(({ name }) => name === 'follow');
    if (graph === undefined) throw new Error('no graph follow');
    await mkdir(join(graph.folder, 'db'), { recursive: true });
    const openStore: typeof realWorld.openStore = async () => {
      throw new FatalError('store-denied', 'Permission denied');
    };
    const surroundings = { world: { ...realWorld, openStore }, output: terminal };
    await expect(
      promotionMade(graph, placeOf(graph, 'shadow'), [], surroundings, silentLog),
    ).rejects.toMatchObject({ code: 'store-denied' });
    for (const file of ['promote.json', 'live.json'])
      expect(existsSync(join(graph.folder, file))).toBe(false);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
