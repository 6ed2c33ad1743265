/** The public surface of the library: what a notebook cell imports. */
import { startEager } from './engine';
import { convolutionalAutoregressive, transformerAutoregressive } from './families/autoregressive';
import { circuit } from './families/circuit';
import { integerFlow } from './families/integer-flow';
import { nice, planarFlow, realNvp, splineFlow, sylvesterFlow } from './families/flow';
import { categoricalMixture, gaussianMixture } from './families/mixture';
import { gatedPixelCnn, maskedPixelCnn } from './families/pixelcnn';
import type { Family } from './core/model';

export * from './sampling/ancestral';
export * from './comparison/baselines';
export * from './bijections/layers';
export { budgeted, fullBudget } from './host/budget';
export * from './networks/causal';
export * from './circuits/chow-liu';
export * from './circuits/structure';
export * from './statistics/classification';
export * from './data/datasets';
export * from './bijections/dequantisation';
export * from './core/distributions';
export * from './training/em';
export * from './evaluation/evaluation';
export * from './host/host';
export * from './comparison/ladder';
export * from './bijections/matrix';
export * from './core/model';
export * from './networks/dense';
export * from './optimisers/optimisers';
export * from './statistics/oracles';
export * from './networks/pixels';
export * from './host/progress';
export * from './core/random';
export * from './optimisers/schedules';
export * from './data/sources';
export * from './core/tensor';
export * from './training/fit';
export * from './bijections/scalar';
export * from './core/weights';
export * from './families/autoregressive';
export * from './families/circuit';
export * from './families/flow';
export * from './families/integer-flow';
export * from './families/mixture';
export * from './families/pixelcnn';
export type { ChartOptions } from './figures/chart';
export type { DensityGrid, ImageGridOptions, LossOptions, Rung, Training } from './figures/training-charts';
export { density2d, imageGrid, ladder, lossCurve } from './figures/training-charts';
export * from './figures/figure';
export * from './figures/judging-charts';
export { liveLoss } from './figures/live-loss';
export * from './figures/plane-charts';
export * from './figures/table';
export { batches, take } from './core/batches';

/** Every family, for the law suite and for comparisons. A new family adds its line here. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- configurations differ, and only `create` sees one
export const families: readonly Family<any>[] = [
  gaussianMixture,
  categoricalMixture,
  circuit,
  convolutionalAutoregressive,
  transformerAutoregressive,
  maskedPixelCnn,
  gatedPixelCnn,
  nice,
  realNvp,
  splineFlow,
  planarFlow,
  sylvesterFlow,
  integerFlow,
];

startEager();
