import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Leases } from '../../src/shards/leases.ts';

const [ROWS, SHARDS] = [4, 70];
const shards = fc.constantFrom(0, 31, 32, 63, 69);
const told = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('used' as const), row: fc.nat(ROWS - 1), shard: shards }),
    fc.record({ kind: fc.constantFrom('cleared' as const), row: fc.nat(ROWS - 1) }),
    fc.record({ kind: fc.constant('turn' as const) }),
  ),
  { maxLength: 40, size: 'max' },
);

test('a lease lasts from its last use until the turn after the next, whatever came before', () => {
  fc.assert(
    fc.property(told, (events) => {
      const leases = new Leases(ROWS, SHARDS);
      /** By row, then by shard: turns since the last use. */
      const model = Array.from({ length: ROWS }, () => new Map<number, number>());
      for (const event of events) {
        if (event.kind === 'used') {
          const isNew = !model[event.row]!.has(event.shard);
          expect(leases.renew(event.row, event.shard)).toBe(isNew);
          model[event.row]!.set(event.shard, 0);
        } else if (event.kind === 'cleared') {
          leases.clear(event.row);
          model[event.row]!.clear();
        } else {
          const held = model.map(({ size }) => size > 0);
          for (const uses of model)
            for (const [shard, turns] of uses) {
              if (turns === 1) uses.delete(shard);
              else uses.set(shard, 1);
            }
          const ended: number[] = [];
          leases.turn((row) => ended.push(row));
          expect(ended).toEqual([0, 1, 2, 3].filter((row) => held[row] && model[row]!.size === 0));
        }
        for (const [row, uses] of model.entries()) {
          expect([...leases.of(row)]).toEqual([...uses.keys()].sort((a, b) => a - b));
          expect(leases.any(row)).toBe(uses.size > 0);
        }
      }
    }),
  );
});
