import { describe, expect, test } from 'vitest';
import { Gate } from '../../src/serve/shared-passes.ts';

describe('a gate', () => {
  test('lets writes through while it is open, and does those that waited in order', async () => {
    const gate = new Gate();
    const done: string[] = [];
    const write = (name: string) => gate.write(() => void done.push(name));
    expect(write('a')).toBeUndefined();
    gate.shut();
    const waited = [write('b'), write('c')];
    expect([done, gate.waiting]).toEqual([['a'], 2]);
    gate.open();
    expect([done, gate.waiting]).toEqual([['a', 'b', 'c'], 0]);
    await Promise.all(waited);
    expect(write('d')).toBeUndefined();
    gate.shut();
    void write('e');
    expect(done).toEqual(['a', 'b', 'c', 'd']);
  });

  test('tells each writer of its own failure alone', async () => {
    const gate = new Gate();
    const fails = () => {
      throw new Error('full');
    };
    expect(() => gate.write(fails)).toThrow('full');
    gate.shut();
    const failing = expect(gate.write(fails)).rejects.toThrow('full');
    let written = false;
    const after = gate.write(() => {
      written = true;
    });
    gate.open();
    await Promise.all([failing, after]);
    expect(written).toBe(true);
  });
});
