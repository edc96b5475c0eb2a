import { expect, test } from 'vitest';
import { keysOf, withSettings } from '../../src/config/overrides.ts';

test('a setting finds keys of model and training without their section, and other keys with it', () => {
  const input = { model: { dim: 4, beta: 2 } };
  const settings = ['dim=64', 'lingerMs=5', 'unitBall=false', 'commit.everyMs=70', 'preset=twhin', 'seed=3'];
  expect(withSettings(input, settings)).toEqual({
    model: { dim: 64, beta: 2, unitBall: false },
    training: { lingerMs: 5, seed: 3 },
    commit: { everyMs: 70 },
    preset: 'twhin',
  });
  expect(input).toEqual({ model: { dim: 4, beta: 2 } });
  expect(keysOf(settings).slice(0, 2)).toEqual(['model.dim', 'training.lingerMs']);
});

test('a setting without a key or a value sign is refused', () => {
  for (const wrong of ['dim', '=64']) {
    expect(() => withSettings({}, [wrong])).toThrow(
      `--set: expected key=value, such as dim=64, seen "${wrong}"`,
    );
  }
});
