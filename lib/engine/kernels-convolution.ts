import type { Kernel } from './kernels';
export const convolutionKernels: Readonly<Record<string, Kernel>> = {};
