import { expect, test } from 'vitest';
import { Writer } from '../../../src/pipeline/writing/writer.ts';
import { HEAD } from '../../graph/graph-fixture.ts';

const head = { ...HEAD, step: 9, epoch: 2, space: 'shared' };

test('a leader knows its own past by the note; a standby takes nothing for its own, even in a space that it shares', () => {
  const leader = new Writer(head, { role: 'leader' }, 'shared');
  expect(leader.wrote(leader.note(9), 9)).toBe(true);
  expect(leader.wrote(leader.note(10), 9)).toBe(false);
  const standby = new Writer(head, { role: 'standby' }, 'shared');
  expect(standby.note(9)).toEqual(leader.note(9));
  expect(standby.wrote(standby.note(9), 9)).toBe(false);
});

test.each(['leader', 'standby', 'shadow'] as const)(
  'a %s of a shard goes on in the space that its store shares with the others',
  (role) => {
    expect(new Writer(head, { role, together: true }, 'fresh').space).toBe('shared');
    expect(new Writer(undefined, { role, together: true }, 'fresh').space).toBe('fresh');
    expect(new Writer(head, { role }, 'fresh').space).toBe(role === 'leader' ? 'shared' : 'fresh');
  },
);
