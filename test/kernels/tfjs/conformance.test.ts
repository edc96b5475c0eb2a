import { describe } from 'vitest';
import { kernelConformance } from '../conformance.ts';
import { TFJS_SKIPPED } from './installed.ts';

describe.skipIf(TFJS_SKIPPED)('on the real @tensorflow/tfjs-node', () => kernelConformance('tfjs'));
