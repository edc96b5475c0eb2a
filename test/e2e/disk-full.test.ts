import { spawnSync } from 'node:child_process';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, inject, test } from 'vitest';
import { countHiggs, higgsLines } from '../fixtures/higgs.ts';
import { readStore, unlike } from './stored.ts';
import { fold, readTopic } from './topic-reader.ts';
import { Twhin } from './twhin.ts';

const RUN = ['run', '--graph', 'engagement', '--until-caught-up'];
const COMMITS = `model: { dim: 64 }, commit: { everyEdges: 1_000 }, limits: { maxEntities: 100_000 },`;
let twhin: Twhin | undefined;
let mounted: string | undefined;

afterEach(async () => {
  if (mounted !== undefined) spawnSync('umount', ['-l', mounted]);
  mounted = undefined;
  await twhin?.remove();
  twhin = undefined;
});

test('a full disk: it stops with path and reason, and goes on elsewhere without losing anything', async ({
  skip,
}) => {
  const deployed = await Twhin.create(inject('brokers'), COMMITS);
  twhin = deployed;
  const small = join(deployed.folder, 'small');
  await mkdir(small);
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', small], { encoding: 'utf8' });
  if (mount.status !== 0) {
    skip(`a small disk can't be mounted here: ${mount.error?.message ?? mount.stderr}`);
    return;
  }
  mounted = small;

  const lines = higgsLines(12_000, 23);
  const expected = countHiggs(lines);
  const file = join(deployed.folder, 'events.txt');
  await writeFile(file, lines.join('\n'));
  await deployed.ok(['topics', 'apply']);
  await deployed.ok(['feed', file, '--topic', 'engagement', '--format', 'higgs']);

  const full = { TWHIN_STATE: small };
  for (const attempt of ['first', 'again']) {
    const { code, signal, stdout, stderr } = await deployed.end(RUN, { env: full });
    expect({ attempt, code, signal, stdout }).toEqual({ attempt, code: 1, signal: null, stdout: '' });
    expect(stderr).toContain(join(small, 'engagement'));
    expect(stderr).toMatch(/[Nn]o space left on device|ENOSPC/);
    expect(stderr).not.toContain('was not expected');
  }

  // Room: the same folder on a larger disk.
  const larger = join(deployed.folder, 'larger');
  await cp(small, larger, { recursive: true });
  deployed.env['TWHIN_STATE'] = larger;
  const left = await readStore(deployed, 'engagement');
  expect(left.head?.events.consumed).toBeGreaterThan(0);
  expect(left.head?.events.consumed).toBeLessThan(expected.events);
  await deployed.ok(RUN);
  const { head, vectors, edges } = await readStore(deployed, 'engagement');
  expect(head).toMatchObject({
    edges: expected.edges,
    entities: { user: expected.users, tweet: expected.tweets },
    events: { consumed: expected.events, rejected: 0, duplicate: expected.duplicate, late: expected.late },
    outbox: 0,
  });
  expect(edges).toEqual(expected.named);
  const topic = fold(await readTopic(inject('brokers'), deployed.topic('embeddings.engagement')));
  expect(unlike(vectors, topic)).toEqual([]);
});
