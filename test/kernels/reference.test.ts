import { kernelConformance } from './conformance.ts';

kernelConformance('reference');
