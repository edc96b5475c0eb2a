import { createRequire } from 'node:module';
import { join } from 'node:path';
import util from 'node:util';
import { FatalError, reasonOf, UsageError } from '../../errors/errors.ts';
import { isTensorFlow, type TensorFlow } from './tensorflow.ts';

/** The GPU twin first: who installed it wants it. */
const PACKAGES = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'];

export interface LoadedTensorFlow {
  readonly tensorFlow: TensorFlow;
  /** Package and version. */
  readonly description: string;
}

/**
 * TensorFlow.js as the first of `folders` finds it or, after them, this package itself. It is no dependency: who wants
 * it installs it. folders: absolute.
 * @throws UsageError where it is not installed, FatalError where it is and can't be used.
 */
export function loadTensorFlow(folders: readonly string[]): LoadedTensorFlow {
  for (const place of [...folders.map((folder) => join(folder, 'package.json')), import.meta.url]) {
    const require = createRequire(place);
    const name = PACKAGES.find((each) => isInstalled(each, require));
    if (name !== undefined) return loaded(name, require);
  }
  throw new UsageError(
    'tfjs-missing',
    'training.kernel is tfjs, and neither @tensorflow/tfjs-node nor @tensorflow/tfjs-node-gpu is installed where ' +
      `${folders.join(' or ')} would find it: npm install @tensorflow/tfjs-node there, or set training.kernel to wasm, ` +
      'which needs nothing',
  );
}

function isInstalled(name: string, require: NodeJS.Require): boolean {
  try {
    require.resolve(name);
    return true;
  } catch (error) {
    if (util.types.isNativeError(error) && 'code' in error && error.code === 'MODULE_NOT_FOUND') return false;
    throw unusable(name, error);
  }
}

function loaded(name: string, require: NodeJS.Require): LoadedTensorFlow {
  // It calls these two: Node 23 and later lack the first and warn of the second.
  Object.assign(util, { isNullOrUndefined: (value: unknown) => value == null, isArray: Array.isArray });
  let found: unknown;
  let manifest: { version?: unknown };
  try {
    found = require(name);
    manifest = require(`${name}/package.json`);
  } catch (error) {
    throw unusable(name, error);
  }
  if (!isTensorFlow(found)) throw unusable(name, 'functions that the kernel is made of are not there');
  return { tensorFlow: found, description: `${name} ${manifest.version}` };
}

function unusable(name: string, cause: unknown): FatalError {
  const [reason] = reasonOf(cause).split('\n');
  return new FatalError(
    'tfjs-unusable',
    `${name} is installed and can't be used: ${reason?.trim()}; install it again, or set training.kernel to wasm`,
    { cause },
  );
}
