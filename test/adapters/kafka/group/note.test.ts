import { expect, test } from 'vitest';
import { encodeGroupNote, latestNote } from '../../../../src/adapters/kafka/group/claim.ts';

const note = { space: 'a-space', epoch: 3, step: 70 };

test('the note with the highest sequence counts, at any partition and with any step', () => {
  const notes = [
    encodeGroupNote({ sequence: 4, reader: 'one', note: { ...note, step: 900 } }),
    null,
    encodeGroupNote({ sequence: 6, reader: 'two', note }),
    encodeGroupNote({ sequence: 5, reader: 'two' }),
  ];
  expect(latestNote(notes)).toEqual({ sequence: 6, reader: 'two', note });
  expect(latestNote(notes.reverse())).toEqual({ sequence: 6, reader: 'two', note });
});

test('metadata of other programs is ignored', () => {
  const others = [null, '', 'saved by a tool', '{"sequence":"9","reader":"x"}', '{"sequence":9}', '[]', '9'];
  expect(latestNote(others)).toBeUndefined();
  const ours = encodeGroupNote({ sequence: 1, reader: 'one' });
  expect(latestNote([...others, ours])).toEqual({ sequence: 1, reader: 'one' });
  expect(latestNote(['{"sequence":2,"reader":"x","note":{"space":1}}', ours])?.sequence).toBe(1);
});
