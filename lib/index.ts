/** The public surface of the library: what a notebook cell imports. */
import { startEager } from './engine/eager';
import { circuit } from './families/circuit';
import { integerFlow } from './families/integer-flow';
import { categoricalMixture, gaussianMixture } from './families/mixture';
import type { Family } from './model';

export * from './baselines';
export { budgeted, fullBudget } from './budget';
export * from './chow-liu';
export * from './circuits';
export * from './data';
export * from './dequantisation';
export * from './distributions';
export * from './em';
export * from './evaluation';
export * from './host';
export * from './ladder';
export * from './model';
export * from './networks';
export * from './optimisers';
export * from './oracles';
export * from './progress';
export * from './random';
export * from './schedules';
export * from './sources';
export * from './tensor';
export * from './training';
export * from './weights';
export * from './families/circuit';
export * from './families/integer-flow';
export * from './families/mixture';
export * from './jupyter/charts';
export * from './jupyter/figure';
export * from './jupyter/table';
export { batches, take } from './batches';

/** Every family, for the law suite and for comparisons. A new family adds its line here. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- configurations differ, and only `create` sees one
export const families: readonly Family<any>[] = [gaussianMixture, categoricalMixture, circuit, integerFlow];

startEager();
